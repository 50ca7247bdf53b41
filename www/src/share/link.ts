// A run as a link and as a file. Both carry the same text: a script of the engine, whose first line says which engine
// wrote it and what the run came to.

/** Characters that a link may have: what chats, mails and issue trackers take without cutting it. */
export const MOST_LINK = 2_000;

/** What the first line of a shared script says. */
export interface Origin {
  /** The version of the engine. */
  readonly engine: string;
  readonly fingerprint: string;
  /** The engine's name of the mistake that it was made with, or nothing. */
  readonly mistake: string;
}

/** From the text of one form of the link to that of the next. */
export type Migration = (text: string) => string;

/** The form that is written now. A link of an older one goes through each step from there on. */
const FORM = 2;
const MIGRATIONS: ReadonlyMap<number, Migration> = new Map([
  // The second says in its first line which mistake the run was made with; the first never did.
  [1, (text) => text],
]);

export const originOf = (script: string): Origin | null => {
  const [, engine, fingerprint, mistake = ''] =
    /^# vitrine (\S+) fingerprint ([0-9a-f]{16})(?: mistake (\w+))?\s*$/m.exec(script) ?? [];
  return engine && fingerprint ? { engine, fingerprint, mistake } : null;
};

/** The same script, with the mistake in its first line that its run was made with. */
export const withMistake = (script: string, mistake: string): string =>
  mistake === '' ? script : script.replace(/^(# vitrine \S+ fingerprint [0-9a-f]{16})$/m, `$1 mistake ${mistake}`);

/** The part of a link behind the page's address, with its `#`. */
export async function encode(script: string): Promise<string> {
  const bytes = await through(new Blob([script]), new CompressionStream('deflate-raw'), Number.POSITIVE_INFINITY);
  const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return `#v${FORM}:${btoa(letters).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')}`;
}

/**
 * The script in a link, or null where there is none in it.
 * @throws when the link is cut short, or of a form that this page does not know.
 */
export async function decode(
  hash: string,
  form = FORM,
  migrations: ReadonlyMap<number, Migration> = MIGRATIONS,
): Promise<string | null> {
  const [, version, packed] = /^#v(\d{1,4}):([\w-]*)$/.exec(hash) ?? [];
  if (version === undefined || packed === undefined) return null;
  let at = Number(version);
  if (at > form) throw new Error(`The link is of form ${at}, and this page reads forms up to ${form}: it is too old.`);
  let text: string;
  try {
    const letters = atob(packed.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
    text = new TextDecoder('utf-8', { fatal: true }).decode(
      await through(new Blob([bytes]), new DecompressionStream('deflate-raw'), MOST_SCRIPT),
    );
  } catch {
    throw new Error('The link is not whole: a part of it was lost on the way here.');
  }
  for (; at < form; at += 1) {
    const next = migrations.get(at);
    if (!next) throw new Error(`The link is of form ${at}, which this page does not read any more.`);
    text = next(text);
  }
  return text;
}

/** Bytes of a script that a link may unpack to: a few kilobytes must not become gigabytes. */
const MOST_SCRIPT = 1 << 20;

async function through(blob: Blob, stream: CompressionStream | DecompressionStream, most: number) {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const reader = blob.stream().pipeThrough(stream).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > most) {
      await reader.cancel();
      throw new Error('too long');
    }
    pieces.push(value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** A page of another engine, that lies beside this one. */
export interface Other {
  readonly engine: string;
  /** Its folder under `engines/`. */
  readonly path: string;
}

/** The address of that engine's page, where there is one: `engines/manifest.json` lists them. */
export async function pageOf(engine: string, fetcher: typeof fetch = fetch): Promise<string | null> {
  try {
    const answer = await fetcher('engines/manifest.json');
    const known = (await answer.json()) as readonly Other[];
    const found = known.find((other) => other.engine === engine);
    // A folder of ours and nothing else: the list is data.
    return found && /^[\w.-]+$/.test(found.path) ? `engines/${found.path}/` : null;
  } catch {
    return null;
  }
}
