// Packs a file: node pack.mjs FROM TO. kubectl.sh unpacks it.
import { readFileSync, writeFileSync } from 'node:fs';
import { constants, zstdCompressSync } from 'node:zlib';

const [from, to] = process.argv.slice(2);
const params = { [constants.ZSTD_c_compressionLevel]: 10 };
writeFileSync(to, zstdCompressSync(readFileSync(from), { params }));
