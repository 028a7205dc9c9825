// The gallery is built apart from the application, and served under the application's content security policy.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const ui = dirname(dirname(fileURLToPath(import.meta.url)));
const { app } = JSON.parse(readFileSync(join(ui, '../tauri.conf.json'), 'utf8')) as {
  app: { security: { csp: string } };
};

export default defineConfig({
  root: ui,
  plugins: [svelte()],
  build: {
    target: 'safari16',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    outDir: join(ui, '../target/gallery'),
    emptyOutDir: true,
    rolldownOptions: { input: join(ui, 'gallery/index.html') },
  },
  preview: { host: '127.0.0.1', headers: { 'Content-Security-Policy': app.security.csp } },
  test: {
    environment: 'node',
    include: ['gallery/*.check.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    maxConcurrency: 3,
  },
});
