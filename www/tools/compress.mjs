// Puts a brotli form beside each file of the page that gains by it: nodes and static hosts send it as it is.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

const folder = join(import.meta.dirname, '..', 'dist');
for (const name of readdirSync(folder, { recursive: true })) {
  if (!['.html', '.js', '.css', '.wasm', '.svg'].includes(extname(name))) continue;
  const bytes = readFileSync(join(folder, name));
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  const packed = brotliCompressSync(bytes, { params });
  // Small gains are not worth a second form.
  if (packed.length * 10 < bytes.length * 9) writeFileSync(join(folder, `${name}.br`), packed);
}
