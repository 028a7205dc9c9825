// Every state of the window at every width, size of text and theme: what can be read, reached and told apart by everybody.
// `npm run gallery`; `npm run gallery -- -t worst-day` for one state. STANDIN_SCREENSHOTS names a folder for pictures.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { preview, type PreviewServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { launch } from './browser';
import { barriers, misfits } from './findings';
import { states } from './states';

/** In CSS pixels; the first is the least that a window can be. */
const WINDOWS = [
  [480, 400],
  [640, 480],
  [760, 520],
  [900, 640],
  [1100, 760],
  [1600, 1000],
] as const;
const PICTURED = [480, 900, 1600];
/** So many mirrors take their time; at two widths they show what there is to see. */
const FEWER: Record<string, number[]> = { 'mirrors-200': [480, 1100] };
const SIZES = [100, 200];
const THEMES = ['light', 'dark'] as const;
/** How many findings are told of one page; what is wrong with a row is so with all. */
const SHOWN = 20;

const folder = process.env['STANDIN_SCREENSHOTS'];

let browser: Browser;
let server: PreviewServer;
let address: string;

beforeAll(async () => {
  if (folder) mkdirSync(folder, { recursive: true });
  browser = await launch();
  server = await preview({ configFile: 'gallery/vite.config.ts', preview: { port: 0 }, logLevel: 'error' });
  address = server.resolvedUrls?.local[0] ?? '';
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
});

async function shown(state: string, theme: (typeof THEMES)[number], size: number): Promise<[Page, string[]]> {
  const context = await browser.newContext({ colorScheme: theme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  const told: string[] = [];
  page.on('pageerror', (error) => told.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') told.push(message.text());
  });
  await page.setViewportSize({ width: 1100, height: 760 });
  await page.goto(`${address}gallery/?state=${state}&theme=${theme}&size=${size}`);
  await page.waitForSelector('html[data-gallery="ready"]', { state: 'attached', timeout: 20_000 }).catch(() => {
    told.push('the state was not reached');
  });
  await page.evaluate(axe.source);
  return [page, told];
}

/** `STANDIN_GALLERY=sample` shows each state in one theme and at one size of text, taking turns: a quarter of the time. */
const isSample = process.env['STANDIN_GALLERY'] === 'sample';

const all = Object.keys(states).flatMap((state, turn) => {
  const each = THEMES.flatMap((theme) => SIZES.map((size) => ({ state, theme, size })));
  return isSample ? each.slice(turn % each.length, (turn % each.length) + 1) : each;
});

describe.concurrent('the window', () => {
  it.concurrent.each(all)('$state, $theme, text at $size %', async ({ state, theme, size }) => {
    const [page, told] = await shown(state, theme, size);
    /** What was found, and at which widths. */
    const found = new Map<string, Set<number>>();
    for (const [width, height] of WINDOWS) {
      if (FEWER[state] && !FEWER[state].includes(width)) continue;
      await page.setViewportSize({ width, height });
      // A theme has its own colours, and nothing else.
      const colours = theme === 'dark';
      const words = [...(colours ? [] : await page.evaluate(misfits)), ...(await page.evaluate(barriers, colours))];
      for (const word of words) found.set(word, (found.get(word) ?? new Set()).add(width));
      if (folder && PICTURED.includes(width)) {
        await page.screenshot({ path: join(folder, `${state}-${width}-${size}-${theme}.png`) });
      }
    }
    await page.context().close();
    const place = `${state}, ${theme}, ${size} %`;
    const lines = [
      ...told.map((words) => `${place}: ${words}`),
      ...[...found].map(([words, widths]) => `${place}, ${[...widths].join('/')} px: ${words}`),
    ];
    const rest = lines.length > SHOWN ? [`and ${lines.length - SHOWN} more`] : [];
    if (lines.length > 0) expect.fail(['', ...lines.slice(0, SHOWN), ...rest].join('\n'));
  });
});
