import { defineConfig } from 'rolldown';
import type { RolldownOptions } from 'rolldown';

/**
 * One entry, split where the code imports lazily: commands that need no cluster load neither the
 * API client nor the official client's plug-in logins.
 */
const config: RolldownOptions = defineConfig({
  input: { strongroom: 'src/cli/main.ts' },
  platform: 'node',
  output: {
    dir: 'dist',
    format: 'esm',
    banner: (chunk) => (chunk.isEntry ? '#!/usr/bin/env node' : ''),
    chunkFileNames: 'chunks/[name]-[hash].js',
    cleanDir: true,
  },
});

export default config;
