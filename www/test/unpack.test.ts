import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { unpack } from '../src/worker/unpack.ts';

const TEXT = 'key\n'.repeat(5_000);

async function read(bytes: Uint8Array | string, name = 'a.csv'): Promise<string> {
  const parts: Uint8Array[] = [];
  let seen = 0;
  const file = Object.assign(new Blob([bytes as BlobPart]), { name });
  await unpack(file, async (piece, soFar) => {
    parts.push(piece.slice());
    expect(soFar).toBeGreaterThanOrEqual(seen);
    seen = soFar;
  });
  return Buffer.concat(parts).toString();
}

/** A zstd frame of one raw block, or of a repeated byte: RFC 8878, 3.1.1. */
function zstd(text: string): Uint8Array {
  const body = Buffer.from(text);
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x60, 0, 0]);
  header.writeUInt16LE(body.length - 256, 5);
  const block = Buffer.alloc(3);
  block.writeUIntLE((body.length << 3) | 1, 0, 3);
  return Buffer.concat([header, block, body]);
}

it('reads plain, gzip and zstd, by what they hold and not by their names', async () => {
  expect(await read(TEXT)).toBe(TEXT);
  expect(await read(gzipSync(TEXT))).toBe(TEXT);
  expect(await read(zstd(TEXT))).toBe(TEXT);
});

it.each([
  ['gzip', gzipSync(TEXT).subarray(0, 60)],
  ['zstd', zstd(TEXT).subarray(0, 5_000)],
])('says that half a %s file is not whole', async (kind, bytes) => {
  await expect(read(new Uint8Array(bytes))).rejects.toThrow(`a.csv is not whole ${kind}`);
});
