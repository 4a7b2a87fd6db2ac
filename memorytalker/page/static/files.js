// Files: which of a visitor's files the browser takes for sound. No document is needed here.

/** What a field for sound takes besides: recorders put a voice into these too. */
export const FILMS = ", video/webm, video/mp4, video/quicktime";

/** Is every one of `files` a sound, as the browser sees it? */
export function areSounds(files) {
  return [...files].every((file) => file.type.startsWith("audio/"));
}
