import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from './process.ts';

export interface SingleLayerImage {
  /** Full name with a tag, such as `docker.io/library/debian:bookworm-slim`. */
  readonly tag: string;
  /** The directory that becomes the root file system, or a tar archive of it. */
  readonly rootFileSystem: { readonly directory: string } | { readonly archive: string };
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Path of the OCI archive to write. */
  readonly output: string;
}

/** Writes an image of one layer as an OCI archive; there is no base and nothing is run. */
export async function writeImage(image: SingleLayerImage): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'strongroom-image-'));
  try {
    const blobs = join(directory, 'blobs', 'sha256');
    await mkdir(blobs, { recursive: true });
    const layer = join(directory, 'layer.tar');
    if ('directory' in image.rootFileSystem) {
      await archive(image.rootFileSystem.directory, layer);
    } else {
      await pipeline(createReadStream(image.rootFileSystem.archive), createWriteStream(layer));
    }
    const layerBlob = await addFile(blobs, layer);
    const variables = Object.entries(image.environment ?? {});
    const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    const config = await addJson(blobs, {
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: {
        Env: [path, ...variables.map(([name, value]) => `${name}=${value}`)],
        ...(image.entrypoint === undefined ? {} : { Entrypoint: image.entrypoint }),
        ...(image.command === undefined ? {} : { Cmd: image.command }),
      },
      rootfs: { type: 'layers', diff_ids: [layerBlob.digest] },
      // One entry a layer: buildah refuses a base whose history is shorter.
      history: [{ created_by: 'strongroom test images' }],
    });
    const manifest = await addJson(blobs, {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layerBlob }],
    });
    const index = {
      schemaVersion: 2,
      manifests: [
        {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          ...manifest,
          annotations: {
            'io.containerd.image.name': image.tag,
            'org.opencontainers.image.ref.name': image.tag,
          },
        },
      ],
    };
    await writeFile(join(directory, 'index.json'), JSON.stringify(index));
    await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');

    await mkdir(dirname(image.output), { recursive: true });
    const temporary = `${image.output}.${process.pid}.tmp`;
    await archive(directory, temporary);
    await rename(temporary, image.output);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

interface Blob {
  readonly digest: string;
  readonly size: number;
}

async function addFile(blobs: string, path: string): Promise<Blob> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  const hex = hash.digest('hex');
  await rename(path, join(blobs, hex));
  return { digest: `sha256:${hex}`, size: (await stat(join(blobs, hex))).size };
}

async function addJson(blobs: string, value: unknown): Promise<Blob> {
  const text = JSON.stringify(value);
  const hex = createHash('sha256').update(text).digest('hex');
  await writeFile(join(blobs, hex), text);
  return { digest: `sha256:${hex}`, size: Buffer.byteLength(text) };
}

async function archive(directory: string, output: string): Promise<void> {
  const reproducible = ['--sort=name', '--mtime=@0', '--numeric-owner', '--owner=0', '--group=0'];
  await run('tar', [
    '--create',
    `--file=${output}`,
    ...reproducible,
    `--directory=${directory}`,
    '.',
  ]);
}
