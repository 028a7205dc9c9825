import { fireEvent, screen, within } from '@testing-library/svelte';
import axe from 'axe-core';
import { afterEach, describe, expect, it, vi } from 'vitest';

import type { Overview } from './lib/bindings/Overview';
import { ago, FakeBackend, failed, failure, mirror, overview, repository, stands, waits } from './testing/fake';
import { atOneMoment, open, user } from './testing/page';

atOneMoment();

afterEach(() => {
  localStorage.clear();
  document.documentElement.removeAttribute('style');
});

const several = (): FakeBackend =>
  new FakeBackend(
    overview([
      repository([mirror()], { repository: 'ada.blog', master: 'ada/blog' }),
      repository([mirror()], { repository: 'ada.site', master: 'ada/site', standing: waits }),
      repository([mirror()], {
        repository: 'ada.orchestrator',
        master: 'ada/orchestrator',
        standing: {
          ...failed,
          reason: 'HTTP 503.',
          since_iso: ago(720),
          actions: [{ verb: 'health', label: 'Check again', command: 'standin health' }],
        },
      }),
    ]),
  );

/** So many that nobody reads them all. */
const many = (): FakeBackend =>
  new FakeBackend(
    overview(Array.from({ length: 12 }, (_, at) => repository([mirror()], { repository: `site-${at}` }))),
  );

const places = () => within(screen.getByRole('navigation', { name: 'Repositories' })).getAllByRole('button');
const title = () => screen.getByRole('heading', { level: 1 });

describe('the overview', () => {
  it('comes first where there are several, the worst first, each with its state in words', async () => {
    const container = await open(several());
    expect(title()).toHaveTextContent('Overview');
    expect(places().map((place) => place.textContent?.replace(/\s+/g, ' ').trim())).toEqual([
      'Overview 2 of 3 need you',
      'orchestrator ada Failed',
      'site ada Waits for your decision',
      'blog ada In step',
    ]);
    const rows = within(screen.getByRole('region', { name: 'Overview' })).getAllByRole('listitem');
    expect(rows[0]).toHaveTextContent(/orchestrator ada.*Failed · 12 minutes ago.*HTTP 503\..*2 minutes ago/);
    vi.useRealTimers();
    const found = await axe.run(container, { rules: { 'color-contrast': { enabled: false } } });
    expect(found.violations.map((violation) => violation.id)).toEqual([]);
  });

  it('does not come between where there is one', async () => {
    await open(new FakeBackend(overview([repository([mirror()])])));
    expect(title()).toHaveTextContent('orchestrator');
    expect(screen.queryByRole('button', { name: /^Overview/ })).toBeNull();
  });

  it('leads to a repository and begins there what its button says', async () => {
    const backend = several();
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Check again: ada.orchestrator' }));
    expect(title()).toHaveTextContent('orchestrator');
    expect(backend.calls).toEqual([['health', 'ada.orchestrator']]);
    // It was begun once, and is not begun again by coming back.
    await user.click(places()[0]!);
    expect(title()).toHaveTextContent('Overview');
    await user.click(screen.getByRole('button', { name: 'orchestrator ada' }));
    expect(backend.calls).toHaveLength(1);
  });

  it('syncs all of them, but not what waits for a yes', async () => {
    const backend = several();
    backend.answer.repositories[1]!.enabled = false;
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Sync All Repositories' }));
    expect(backend.calls.map(([name, choice]) => [name, (choice as { repository: string }).repository])).toEqual([
      ['sync', 'ada.orchestrator'],
      ['sync', 'ada.blog'],
    ]);
  });

  it('is shown when the repository that was shown is gone', async () => {
    const backend = several();
    await open(backend);
    await user.click(places()[3]!);
    expect(title()).toHaveTextContent('blog');
    backend.answer.repositories.splice(0, 1);
    await user.keyboard('{Control>}r{/Control}');
    expect(title()).toHaveTextContent('Overview');
  });
});

describe('the filter', () => {
  it('is there from nine repositories on, finds by name, and opens the first with Enter', async () => {
    await open(many());
    await user.keyboard('{Control>}f{/Control}');
    const field = screen.getByRole('searchbox', { name: 'Filter repositories' });
    expect(field).toHaveFocus();
    await user.keyboard('SITE-1');
    expect(
      places()
        .map((place) => place.title)
        .filter(Boolean),
    ).toEqual(['site-1', 'site-10', 'site-11']);
    await user.keyboard('{Enter}');
    expect(title()).toHaveTextContent('site-1');
    expect(field).toHaveFocus();
    await user.keyboard('{Escape}');
    expect(places()).toHaveLength(13);
    await user.keyboard('nothing');
    expect(screen.getByText('No repository is called so.')).toBeVisible();
  });

  it('is not there for a few', async () => {
    await open(several());
    expect(screen.queryByRole('searchbox')).toBeNull();
  });
});

describe('the choice of a narrow window', () => {
  it('shows each repository with its state, and changes the page', async () => {
    await open(several());
    const choice = screen.getByRole('combobox', { name: 'Repository' });
    expect(
      within(choice)
        .getAllByRole('option')
        .map((option) => option.textContent),
    ).toEqual(['Overview (2 of 3 need you)', 'orchestrator: Failed', 'site: Waits for your decision', 'blog: In step']);
    await user.selectOptions(choice, 'ada.site');
    expect(title()).toHaveTextContent('site');
    await user.selectOptions(choice, '');
    expect(title()).toHaveTextContent('Overview');
  });
});

describe('a first heading', () => {
  const mistake = failure({ code: 'configuration' });

  it.each<[string, Partial<Overview>, string]>([
    ['nothing is configured', {}, 'Nothing to keep in step yet'],
    ['there are mistakes', { mistakes: [mistake] }, 'The configuration has 1 mistake'],
  ])('is there where %s', async (_name, over, words) => {
    await open(new FakeBackend(overview([], over)));
    expect(title()).toHaveTextContent(words);
  });

  it('is there while nothing is known, and when nothing can be read, with a way to try again', async () => {
    const backend = several();
    let refuse = (_: unknown): void => {};
    const answer = backend.overview;
    backend.overview = () => new Promise((_, reject) => (refuse = reject));
    const opened = open(backend);
    await vi.waitFor(() => expect(title()).toHaveTextContent('Reading the repositories…'));
    refuse(failure({ message: 'the database is locked' }));
    await opened;
    expect(title()).toHaveTextContent('The repositories cannot be read');
    expect(screen.getByRole('alert')).toHaveTextContent('the database is locked');
    backend.overview = answer;
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(title()).toHaveTextContent('Overview');
  });

  it('has brand and version in a landmark', async () => {
    await open(several());
    const side = within(screen.getByRole('complementary', { name: 'Standin' }));
    expect(side.getByText('Standin')).toBeVisible();
    expect(side.getByText('Version 0.1.0')).toBeVisible();
  });
});

describe('the keys', () => {
  const size = () => document.documentElement.style.fontSize;

  it('change the size of the text, in steps, and the window remembers it', async () => {
    await open(several());
    expect(size()).toBe('100%');
    await user.keyboard('{Control>}+{/Control}');
    expect(size()).toBe('110%');
    await user.keyboard('{Control>}====={/Control}');
    expect(size()).toBe('200%');
    expect(localStorage.getItem('standin.text-size')).toBe('200');
    await user.keyboard('{Control>}0{/Control}');
    expect(size()).toBe('100%');
    await user.keyboard('{Control>}--{/Control}');
    expect(size()).toBe('90%');
  });

  it('keep the size where nothing can be remembered', async () => {
    const broken = () => {
      throw new DOMException('', 'SecurityError');
    };
    vi.spyOn(Storage.prototype, 'getItem').mockImplementation(broken);
    vi.spyOn(Storage.prototype, 'setItem').mockImplementation(broken);
    await open(several());
    await user.keyboard('{Control>}+{/Control}');
    expect(size()).toBe('110%');
  });

  it('begin with the size that was left', async () => {
    localStorage.setItem('standin.text-size', '150');
    await open(several());
    expect(size()).toBe('150%');
  });

  it('go to a repository by its place, on any keyboard', async () => {
    await open(several());
    await user.keyboard('{Control>}2{/Control}');
    expect(title()).toHaveTextContent('site');
    await fireEvent.keyDown(document.body, { key: '"', code: 'Digit3', ctrlKey: true });
    expect(title()).toHaveTextContent('blog');
    const free = await fireEvent.keyDown(document.body, { key: '9', code: 'Digit9', ctrlKey: true });
    expect(free).toBe(true);
  });

  it('sync what is shown, or all', async () => {
    const backend = several();
    await open(backend);
    await user.keyboard('{Control>}s{/Control}');
    expect(backend.calls).toEqual([]);
    expect(screen.getByText('Nothing can be synced now')).toBeInTheDocument();
    await user.keyboard('{Control>}2{/Control}');
    // A Cyrillic keyboard has no s, but a key in its place.
    await fireEvent.keyDown(document.body, { key: 'ы', code: 'KeyS', ctrlKey: true });
    expect(backend.calls).toEqual([['sync', { repository: 'ada.site', mirrors: [], yes: false }]]);
    await vi.waitFor(() => expect(screen.getByRole('button', { name: 'Cancel' })).toBeVisible());
    await user.keyboard('{Control>}{Shift>}S{/Shift}{/Control}');
    expect(backend.calls.slice(1).map(([, choice]) => (choice as { repository: string }).repository)).toEqual([
      'ada.orchestrator',
      'ada.blog',
    ]);
  });

  it('are listed with F1 and with a question mark, from the same table', async () => {
    await open(several());
    places()[1]!.focus();
    await user.keyboard('?');
    const dialog = within(await screen.findByRole('dialog', { name: 'Keyboard shortcuts' }));
    expect(dialog.getByText('Sync all mirrors of all repositories').previousElementSibling).toHaveTextContent(
      'Ctrl+Shift+S',
    );
    await user.click(dialog.getByRole('button', { name: 'Close' }));
    expect(screen.queryByRole('dialog', { name: 'Keyboard shortcuts' })).toBeNull();
    expect(places()[1]).toHaveFocus();
    await user.keyboard('{F1}');
    expect(await screen.findByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  });

  it('stay out of what is typed, and out from under a dialog', async () => {
    const backend = many();
    await open(backend);
    await user.keyboard('{Control>}f{/Control}?');
    expect(screen.getByRole('searchbox')).toHaveValue('?');
    expect(screen.queryByRole('dialog', { name: 'Keyboard shortcuts' })).toBeNull();
    await user.keyboard('{F1}');
    await screen.findByRole('dialog', { name: 'Keyboard shortcuts' });
    const reached = await fireEvent.keyDown(document.body, { key: 's', code: 'KeyS', ctrlKey: true });
    // The browser's own "Save page" must not come either.
    expect(reached).toBe(false);
    expect(backend.calls).toEqual([]);
  });

  it('leave what belongs to others', async () => {
    await open(several());
    for (const key of ['w', 'q', ',', 'c', 'v', 'a']) {
      expect(await fireEvent.keyDown(document.body, { key, code: `Key${key.toUpperCase()}`, ctrlKey: true })).toBe(
        true,
      );
    }
  });
});

describe('the menu', () => {
  const copied: string[] = [];
  const card = () => document.querySelector<HTMLElement>('[data-mirror="mirror-1"]')!;
  const menu = () => within(screen.getByRole('menu'));

  async function opened(backend: FakeBackend): Promise<void> {
    copied.length = 0;
    await open(backend);
    vi.spyOn(navigator.clipboard, 'writeText').mockImplementation(async (text) => void copied.push(text));
  }

  const troubled = () =>
    new FakeBackend(
      overview([repository([mirror({ standing: stands('failed', 'failed', 'failed'), error: failure() })])]),
    );

  it('of a mirror syncs it, previews it, and copies its address and its error', async () => {
    const backend = troubled();
    await opened(backend);
    expect(await fireEvent.contextMenu(card(), { clientX: 40, clientY: 50 })).toBe(false);
    await vi.waitFor(() =>
      expect(
        menu()
          .getAllByRole('menuitem')
          .map((item) => item.textContent),
      ).toEqual(['Sync now', 'Preview', 'Copy address', 'Copy error']),
    );
    await user.click(menu().getByRole('menuitem', { name: 'Copy error' }));
    await user.pointer({ keys: '[MouseRight]', target: card() });
    await user.click(await screen.findByRole('menuitem', { name: 'Copy address' }));
    expect(copied).toEqual([
      'backup-account/orchestrator could not be reached\nCheck the connection and sync again.',
      'backup-account/orchestrator',
    ]);
    expect(screen.getByText('Address copied')).toBeInTheDocument();
    await user.pointer({ keys: '[MouseRight]', target: card() });
    await user.click(await screen.findByRole('menuitem', { name: 'Preview' }));
    expect(await screen.findByRole('dialog', { name: /^Preview of mirror-1|mirror-1/ })).toBeVisible();
    expect(backend.calls.map(([name]) => name)).toEqual(['plan']);
  });

  it('is worked with the keyboard alone, and gives focus back', async () => {
    const backend = troubled();
    await opened(backend);
    const [button] = within(card()).getAllByRole('button');
    button!.focus();
    await fireEvent.keyDown(button!, { key: 'F10', shiftKey: true });
    const items = await screen.findAllByRole('menuitem');
    expect(items[0]).toHaveFocus();
    await user.keyboard('{ArrowUp}');
    expect(items.at(-1)).toHaveFocus();
    await user.keyboard('{ArrowDown}{ArrowDown}');
    expect(items[1]).toHaveFocus();
    await user.keyboard('{Home}{Enter}');
    expect(backend.calls).toContainEqual(['sync', { repository: 'orchestrator', mirrors: ['mirror-1'], yes: false }]);
    expect(screen.queryByRole('menu')).toBeNull();
  });

  it('offers no sync where none is possible', async () => {
    const backend = new FakeBackend(overview([repository([mirror({ status: 'syncing' })])]));
    await opened(backend);
    await fireEvent.contextMenu(card(), { clientX: 1, clientY: 1 });
    const sync = await screen.findByRole('menuitem', { name: 'Sync now' });
    expect(sync).toHaveAttribute('aria-disabled', 'true');
    await user.click(sync);
    expect(backend.calls).toEqual([]);
  });

  it('copies text that is selected, anywhere', async () => {
    await opened(several());
    window.getSelection()?.selectAllChildren(title());
    await fireEvent.contextMenu(title(), { clientX: 1, clientY: 1 });
    await user.click(await screen.findByRole('menuitem', { name: 'Copy' }));
    expect(copied).toEqual(['Overview']);
    window.getSelection()?.removeAllRanges();
  });

  it('is not there where there is nothing to offer, and leaves fields their own', async () => {
    await opened(many());
    expect(await fireEvent.contextMenu(title(), { clientX: 1, clientY: 1 })).toBe(false);
    expect(screen.queryByRole('menu')).toBeNull();
    expect(await fireEvent.contextMenu(screen.getByRole('searchbox'), { clientX: 1, clientY: 1 })).toBe(true);
  });
});
