// Which of a visitor's files the browser takes for sound. Needs no document.

/** Further media types that a field for sound accepts: recorders put voices into video containers, too. */
export const VIDEO_TYPES = ", video/webm, video/mp4, video/quicktime";

/** Whether the browser gives every one of `files` (a FileList or File[]) an audio type. */
export function areSounds(files) {
  return [...files].every((file) => file.type.startsWith("audio/"));
}
