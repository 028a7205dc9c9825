// The browser of the gallery: a Chromium that is installed already. None is downloaded.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { chromium, type Browser } from 'playwright-core';

const NAMES = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];

export async function launch(): Promise<Browser> {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const executablePath =
    process.env['STANDIN_CHROMIUM'] ??
    NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
  if (!executablePath) {
    throw new Error(
      'The gallery needs a Chromium, and none is on the PATH. Debian and Ubuntu have one: ' +
        '`apt-get install chromium-headless-shell` (or `chromium`). STANDIN_CHROMIUM names another.',
    );
  }
  // Its own sandbox needs rights that root in a container does not have; the pages are ours.
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
}
