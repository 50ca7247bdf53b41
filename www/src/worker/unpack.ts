// The bytes of a dropped file: plain, gzip or zstd, told by their first bytes and not by the file's name.

/** Unpacked bytes that one file may give: what is larger is not for a page. */
export const MOST_BYTES = 1 << 30;

type Chunk = (bytes: Uint8Array, read: number) => Promise<void>;

/**
 * Gives the unpacked bytes in pieces, with how much of the file has been read.
 * @throws when the file is damaged or unpacks to more than `MOST_BYTES`.
 */
export async function unpack(file: Blob & { readonly name: string }, chunk: Chunk): Promise<void> {
  const start = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  let read = 0;
  let given = 0;
  const give = async (bytes: Uint8Array) => {
    given += bytes.length;
    if (given > MOST_BYTES)
      throw new Error(`${file.name} unpacks to more than ${MOST_BYTES >> 20} MiB; the page takes no more`);
    await chunk(bytes, read);
  };
  const counted = file.stream().pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(bytes, control) {
        read += bytes.length;
        control.enqueue(bytes);
      },
    }),
  );
  if (start[0] === 0x1f && start[1] === 0x8b) {
    await drain(counted.pipeThrough(new DecompressionStream('gzip')), give, `${file.name} is not whole gzip`);
  } else if (start[0] === 0x28 && start[1] === 0xb5 && start[2] === 0x2f && start[3] === 0xfd) {
    await unpackZstd(counted, give, file.name);
  } else {
    await drain(counted, give, `${file.name} cannot be read`);
  }
}

async function drain(
  stream: ReadableStream<Uint8Array>,
  give: (bytes: Uint8Array) => Promise<void>,
  otherwise: string,
) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(() => {
        throw new Error(otherwise);
      });
      if (done) return;
      await give(value);
    }
  } catch (problem) {
    await reader.cancel().catch(() => {});
    throw problem;
  }
}

async function unpackZstd(
  stream: ReadableStream<Uint8Array>,
  give: (bytes: Uint8Array) => Promise<void>,
  name: string,
) {
  const { Decompress } = await import('fzstd');
  let pieces: Uint8Array[] = [];
  let ended = false;
  const zstd = new Decompress((piece, final) => {
    pieces.push(piece);
    ended ||= final === true;
  });
  const flush = async () => {
    const ready = pieces;
    pieces = [];
    for (const piece of ready) await give(piece);
  };
  const push = (bytes: Uint8Array, final: boolean) => {
    try {
      zstd.push(bytes, final);
    } catch {
      throw new Error(`${name} is not whole zstd`);
    }
  };
  await drain(
    stream,
    async (bytes) => {
      push(bytes, false);
      await flush();
    },
    `${name} cannot be read`,
  );
  push(new Uint8Array(0), true);
  await flush();
  if (!ended) throw new Error(`${name} is not whole zstd`);
}
