import { readFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { SidebarWidth } from './sidebar.svelte';
import { Theme, THEMES } from './theme.svelte';
import { SIZES, Zoom } from './zoom.svelte';

const root = document.documentElement;

/** What the page does before its first paint. */
function begin(): void {
  new Function(readFileSync('public/appearance.js', 'utf8'))();
}

function bare(): void {
  delete root.dataset['theme'];
  root.removeAttribute('style');
}

beforeEach(() => {
  bare();
  localStorage.clear();
});
afterEach(() => {
  bare();
  localStorage.clear();
});

describe('how the window looks', () => {
  it.each(THEMES)('is remembered, and there before the first paint: theme %s', (name) => {
    new Theme().set(name);
    const dressed = root.dataset['theme'];
    expect(dressed).toBe(name === 'system' ? undefined : name);
    bare();
    begin();
    expect(root.dataset['theme']).toBe(dressed);
    expect(new Theme().name).toBe(name);
  });

  it.each(SIZES)('is remembered, and there before the first paint: text at %d %%', (size) => {
    new Zoom().set(size);
    bare();
    begin();
    expect(root.style.fontSize).toBe(`${size}%`);
    expect(new Zoom().size).toBe(size);
  });

  it('is remembered, and there before the first paint: the width of the list', () => {
    new SidebarWidth().set(250);
    bare();
    begin();
    expect(root.style.getPropertyValue('--sidebar')).toBe('250px');
    expect(new SidebarWidth().width).toBe(250);
  });

  it('is as the system says where what is remembered is nonsense, or nothing can be remembered', () => {
    for (const place of ['standin.theme', 'standin.text-size', 'standin.sidebar']) localStorage.setItem(place, 'x');
    begin();
    expect(root.dataset['theme']).toBeUndefined();
    expect(root.getAttribute('style')).toBeNull();
    expect(new Theme().name).toBe('system');
    vi.spyOn(Storage.prototype, 'getItem').mockImplementation(() => {
      throw new Error('no store');
    });
    expect(begin).not.toThrow();
    expect(new Theme().name).toBe('system');
    expect(new SidebarWidth().width).toBe(220);
  });
});
