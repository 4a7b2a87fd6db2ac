// Package: what rendering/web_package.py writes, as far as a player needs it before it draws.

/** The only form of a package that these scripts read; rendering/web_package.py.FORMAT. */
export const FORMAT = 2;

/** A package that these scripts do not read; the message may be shown. */
export class FormatError extends Error {}

/** JSON text of a package -> its content. Throws FormatError for one of another format. */
export function opened(text) {
  const content = JSON.parse(text);
  if (content?.format !== FORMAT) throw new FormatError("This page was loaded before an update; reload it.");
  return content;
}
