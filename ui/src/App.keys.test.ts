import { fireEvent, screen, within } from '@testing-library/svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { ended, FakeBackend, failure, job, mirror, overview, repository, stands, started } from './testing/fake';
import { atOneMoment, open, user } from './testing/page';
import { many, several } from './testing/several';

atOneMoment();

afterEach(() => {
  localStorage.clear();
  document.documentElement.removeAttribute('style');
});

const places = () => within(screen.getByRole('navigation', { name: 'Repositories' })).getAllByRole('button');
const title = () => screen.getByRole('heading', { level: 1 });

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

describe('the focus', () => {
  it('stays on the button of a sync while it goes on, and comes back to it from Cancel', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    const button = screen.getByRole('button', { name: 'Sync All Now' });
    button.focus();
    await user.keyboard('{Enter}');
    await vi.waitFor(() => expect(button).toHaveTextContent('Syncing all…'));
    expect(button).toHaveFocus();
    await user.keyboard('{Enter}');
    expect(backend.calls.map(([name]) => name)).toEqual(['sync']);
    const all = job({ id: 'job-1', of_all: true });
    backend.say(started(all));
    await user.tab();
    expect(screen.getByRole('button', { name: 'Cancel' })).toHaveFocus();
    backend.say(ended(all));
    await vi.waitFor(() => expect(button).toHaveTextContent('Sync All Now'));
    expect(button).toHaveFocus();
    expect(screen.getByRole('button', { name: 'Sync All Now' })).toBe(button);
  });

  it('stays on the button of a look', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    let end = (): void => {};
    backend.health = () => new Promise<void>((done) => (end = done));
    await open(backend);
    const button = screen.getByRole('button', { name: 'Check health' });
    await user.click(button);
    expect(button).toHaveTextContent('Checking…');
    expect(button).toHaveFocus();
    expect(button).toHaveAttribute('aria-disabled', 'true');
    end();
    await vi.waitFor(() => expect(button).toHaveTextContent('Check health'));
    expect(button).toHaveFocus();
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
      ).toEqual([
        'Sync now',
        'Preview',
        'Copy address',
        'Copy error',
        'Edit…',
        'Disable…',
        'Test…',
        'Remove…',
        'Add another mirror…',
      ]),
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
