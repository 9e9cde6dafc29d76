/** Builds the project's image into an OCI archive: `node tools/image.ts [TAG] [FILE]`. */
import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { buildImage } from '../test/cluster/index.ts';

const root = path.resolve(import.meta.dirname, '..');
const tag = process.argv[2] ?? 'localhost/strongroom:local';
const target = path.resolve(process.argv[3] ?? path.join(root, 'dist', 'strongroom-image.tar'));

const archive = await buildImage({
  dockerfile: path.join(root, 'Dockerfile'),
  context: root,
  tag,
  progress: (line) => console.error(line),
});
await mkdir(path.dirname(target), { recursive: true });
await copyFile(archive, target);
console.log(target);
