/**
 * What a real API server sent to webhooks: requests about the cluster of src/admission/fuzz/scene.ts,
 * as tools/record-reviews.ts recorded them.
 */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

const folder = path.join(import.meta.dirname, 'reviews');

/** The bytes of each review by its name, in the order of names. */
export const RECORDED_REVIEWS: ReadonlyMap<string, Uint8Array> = new Map(
  readdirSync(folder)
    .sort()
    .map((file) => [path.basename(file, '.json'), readFileSync(path.join(folder, file))]),
);
