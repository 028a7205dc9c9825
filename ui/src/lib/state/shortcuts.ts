// The keys of the window: one table, which the handler obeys and the list of shortcuts shows.
// Ctrl+W, Ctrl+Q and Ctrl+, are not here: the application's shell answers them.

import { syncAll } from './everything';
import type { WindowState } from './window.svelte';

/** What a shortcut may need of the page. */
export interface Deeds {
  view: WindowState;
  /** Moves focus to the filter of repositories; false where there is nothing to filter. */
  filter(): boolean;
  help(): void;
}

export interface Shortcut {
  /** As they are shown: the keys of one way to press it, then of another. */
  keys: readonly (readonly string[])[];
  words: string;
  matches(press: Press): boolean;
  /** Whether it works while a dialog is open. */
  above?: boolean;
  /** Whether it is a plain key, which belongs to the field that is typed in. */
  plain?: boolean;
  /** False where it has nothing to do, so that the key stays free. */
  run(deeds: Deeds, press: Press): boolean | void;
}

export interface Press {
  control: boolean;
  shift: boolean;
  /** A letter in lower case, whatever the layout; else the key as the keyboard names it. */
  key: string;
  /** 0 to 9, or none: on some keyboards the digits are reached with Shift alone. */
  digit: number | null;
}

export function pressOf(event: KeyboardEvent): Press {
  const digit =
    /^(?:Digit|Numpad)([0-9])$/.exec(event.code)?.[1] ?? (/^[0-9]$/.test(event.key) ? event.key : undefined);
  // Where letters are not Latin ones, their place on the keyboard says which is meant.
  const letter = /^[a-z]$/i.test(event.key) ? event.key : /^[\p{L}]$/u.test(event.key) ? event.code.slice(3) : '';
  return {
    control: (event.ctrlKey || event.metaKey) && !event.altKey,
    shift: event.shiftKey,
    key: letter === '' ? event.key : letter.toLowerCase(),
    digit: digit === undefined ? null : Number(digit),
  };
}

const withControl =
  (key: string, shift = false) =>
  (press: Press): boolean =>
    press.control && press.shift === shift && press.key === key;

export const SHORTCUTS: readonly Shortcut[] = [
  {
    keys: [['Ctrl', 'R'], ['F5']],
    words: 'Read the status again',
    matches: (press) => withControl('r')(press) || press.key === 'F5',
    above: true,
    run: ({ view }) => void view.refresh().then(() => (view.announcement = 'Read again')),
  },
  {
    keys: [['Ctrl', 'S']],
    words: 'Sync all mirrors of the repository that is shown',
    matches: withControl('s'),
    run: ({ view }) => syncAll(view, view.selected ? [view.selected] : []),
  },
  {
    keys: [['Ctrl', 'Shift', 'S']],
    words: 'Sync all mirrors of all repositories',
    matches: withControl('s', true),
    run: ({ view }) => syncAll(view, view.repositories),
  },
  {
    keys: [['Ctrl', '1…9']],
    words: 'Go to the repository in this place of the list',
    matches: (press) => press.control && press.digit !== null && press.digit > 0,
    run({ view }, press) {
      const report = view.repositories[(press.digit ?? 0) - 1];
      if (!report) return false;
      view.select(report.repository);
    },
  },
  {
    keys: [['Ctrl', 'F']],
    words: 'Find a repository',
    matches: withControl('f'),
    run: (deeds) => deeds.filter(),
  },
  {
    keys: [['Ctrl', '+']],
    words: 'Larger text',
    matches: (press) => press.control && (press.key === '+' || press.key === '='),
    above: true,
    run: ({ view }) => view.zoom.larger(),
  },
  {
    keys: [['Ctrl', '−']],
    words: 'Smaller text',
    matches: (press) => press.control && (press.key === '-' || press.key === '_'),
    above: true,
    run: ({ view }) => view.zoom.smaller(),
  },
  {
    keys: [['Ctrl', '0']],
    words: 'Text as large as the system says',
    matches: (press) => press.control && press.digit === 0,
    above: true,
    run: ({ view }) => view.zoom.reset(),
  },
  {
    keys: [['Shift', 'F10'], ['Menu']],
    words: 'What can be done with what has the focus',
    // The menu itself listens: the same keys open it in every browser.
    matches: () => false,
    run: () => false,
  },
  {
    keys: [['F1'], ['?']],
    words: 'This list',
    matches: (press) => !press.control && (press.key === 'F1' || press.key === '?'),
    plain: true,
    run: (deeds) => deeds.help(),
  },
];

function isTypedInto(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('input, textarea, select, [contenteditable]') !== null;
}

/** Does what a key is for. Keys that the window has nothing for stay with the browser. */
export function obey(event: KeyboardEvent, deeds: Deeds): void {
  if (event.defaultPrevented) return;
  const press = pressOf(event);
  const found = SHORTCUTS.find((shortcut) => shortcut.matches(press));
  if (!found) return;
  if (found.plain && press.key !== 'F1' && isTypedInto(event.target)) return;
  const beneath = document.querySelector('dialog[open]') !== null && !found.above;
  // The browser's own answer (to save the page, to load it anew) is never wanted.
  if (beneath || found.run(deeds, press) !== false) event.preventDefault();
}
