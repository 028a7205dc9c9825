import { describe, expect, it } from 'vitest';

import type { Updates } from '../bindings/Updates';
import { broughtBy, SHOWN, turned } from './updates';

const updates = (over: Partial<Updates>): Updates => ({
  version: '0.1.0',
  channel: 'stable',
  check: true,
  owner: { owner: 'itself', file: '/home/you/Standin.AppImage' },
  advice: null,
  ...over,
});

describe('newer versions', () => {
  it('come by the program itself where nothing else is advised', () => {
    expect(broughtBy(updates({}))).toBeNull();
    expect(broughtBy(updates({ owner: { owner: 'installer' } }))).toBeNull();
  });

  it('come by who looks after the program, with the command apart from the words', () => {
    const owner = { owner: 'package_manager', manager: 'dnf', package: 'standin', command: 'sudo dnf upgrade standin' };
    expect(broughtBy(updates({ owner: owner as Updates['owner'], advice: 'dnf: sudo dnf upgrade standin' }))).toEqual({
      words: 'dnf looks after this program and brings its newer versions.',
      command: 'sudo dnf upgrade standin',
    });
  });

  it('come by hand where nobody looks after it, or nothing was built in', () => {
    expect(broughtBy(updates({ owner: { owner: 'nobody' }, advice: 'Take one as before.' }))?.words).toBe(
      'Take one as before.',
    );
    expect(broughtBy(updates({ advice: 'Built without a place to look.' }))?.command).toBe('');
  });
});

describe('what is shown on the desktop', () => {
  it('is switched one by one, and keeps its order', () => {
    expect(turned(['waits', 'failed'], 'master_down', true)).toEqual(['master_down', 'waits', 'failed']);
    expect(turned(['waits', 'failed'], 'waits', false)).toEqual(['failed']);
    expect(turned(SHOWN, 'mended', true)).toEqual(SHOWN);
  });
});
