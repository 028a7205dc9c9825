import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

const css = readFileSync('src/styles/tokens.css', 'utf8');
const said = [...css.matchAll(/--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);/g)];
const light = new Map(said.map(([, name, value]) => [name!, value!]));
const dark = new Map(said.map(([, name, , value]) => [name!, value!]));

function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function contrast(one: string, other: string): number {
  const [bright, dim] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (bright! + 0.05) / (dim! + 0.05);
}

const surfaces = ['ground', 'side', 'surface', 'surface-raised', 'surface-sunken', 'hover'];
const pairs: [text: string, ground: string, least: number][] = [
  ...['text', 'text-soft', 'text-faint'].flatMap((text) =>
    surfaces.map((ground): [string, string, number] => [text, ground, 4.5]),
  ),
  ...['ok', 'waiting', 'failed', 'running', 'unknown'].flatMap((tone): [string, string, number][] => [
    [tone, `${tone}-soft`, 4.5],
    [tone, 'surface', 4.5],
    [tone, 'surface-sunken', 4.5],
    [tone, 'ground', 3],
  ]),
  ['text', 'failed-soft', 4.5],
  ['text-soft', 'failed-soft', 4.5],
  ['text', 'waiting-soft', 4.5],
  ['text-soft', 'waiting-soft', 4.5],
  ['text-soft', 'unknown-soft', 4.5],
  ['on-accent', 'accent', 4.5],
  ['on-accent', 'accent-strong', 4.5],
  ['accent', 'accent-soft', 4.5],
  ['focus', 'ground', 3],
  ['focus', 'surface', 3],
  ['line-strong', 'surface', 3],
];

describe.each([
  ['light', light],
  ['dark', dark],
])('in the %s theme', (_name, found) => {
  it.each(pairs)('%s on %s reaches %d:1', (text, ground, least) => {
    expect(contrast(found.get(text)!, found.get(ground)!)).toBeGreaterThanOrEqual(least);
  });
});

describe('a theme', () => {
  it('has every colour in both, so that neither is left half dressed', () => {
    expect(light.size).toBeGreaterThan(25);
    // What is no pair would look the same whatever is chosen.
    expect(css.replace(/light-dark\([^;]*\)/g, '')).not.toMatch(/#[0-9a-f]{3,8}|rgb\(/);
  });

  it.each(['light', 'dark'])('can be forced: %s', (name) => {
    expect(css).toMatch(new RegExp(`:root\\[data-theme='${name}'\\] \\{\\s*color-scheme: ${name};`));
  });
});
