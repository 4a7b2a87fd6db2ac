// Reading of the package that memorytalker.rendering.web_package writes.

/** The only format that these scripts read; memorytalker.rendering.web_package.FORMAT. */
export const FORMAT = 2;

/** A package of another format; its message is written for visitors. */
export class FormatError extends Error {}

/**
 * Parse a package.
 * @param {string} text JSON
 * @returns {object} its content
 * @throws {FormatError} it is of another format
 */
export function opened(text) {
  const content = JSON.parse(text);
  if (content?.format !== FORMAT) throw new FormatError("This page was loaded before an update; reload it.");
  return content;
}
