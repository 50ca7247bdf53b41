// Versions in words: whose it is, the how manieth of its millisecond, and that moment of the run by its node's clock.
// Everything that a person reads of a version comes from here; the raw form is what the cache's clients see.

/** 2026-01-01T00:00:00Z, at which every run begins: `BEGINNING` of `engine/src/sim/clock.rs`. */
const BEGINNING = 1_767_225_600_000;

/** Milliseconds of this century, counter, node. Quoted text is a key's, whatever it looks like. */
const VERSION = /"(?:[^"\\]|\\.)*"|\b[0-9a-f]{11,12}-[0-9a-f]{1,4}-[0-9a-f]{1,4}\b/g;

/** `19b76daa80f-0-1` is `n1's #0 of 0.015 s`; what is no version stays as it is. */
export function versionWords(raw: string): string {
  const [unix, counter, node] = raw.split('-').map((part) => Number.parseInt(part, 16));
  if (unix === undefined || counter === undefined || !node || Number.isNaN(unix + counter)) return raw;
  const seconds = ((unix - BEGINNING) / 1_000).toFixed(3);
  return `n${node}’s #${counter} of ${seconds} s`;
}

/** A text as its pieces: plain ones, and versions in words with their raw form. */
export function pieces(text: string): { readonly text: string; readonly raw?: string }[] {
  const found: { text: string; raw?: string }[] = [];
  let end = 0;
  for (const { 0: raw, index } of text.matchAll(VERSION)) {
    if (raw.startsWith('"')) continue;
    if (index > end) found.push({ text: text.slice(end, index) });
    found.push({ text: versionWords(raw), raw });
    end = index + raw.length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}

/** A text with its versions in words, for where nothing can be hovered over. */
export const worded = (text: string): string =>
  pieces(text)
    .map((piece) => piece.text)
    .join('');
