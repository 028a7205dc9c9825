// A mirror that is there: edited, switched, tried and taken out from its card, each shown before it is done.

import { screen, within } from '@testing-library/svelte';
import { describe, expect, it, vi } from 'vitest';

import { draft } from './testing/fake_setup';
import { archive, copy, failure, FakeBackend, mirror, overview, repository } from './testing/fake';
import { atOneMoment, open, user } from './testing/page';
import { checks, hostKey, leaving } from './testing/setting_up';

atOneMoment();
// The page is whole in each of them.
vi.setConfig({ testTimeout: 20_000 });

const called = (backend: FakeBackend, name: string) => backend.calls.filter(([what]) => what === name);

/** What the menu of a mirror opens. */
async function choose(backend: FakeBackend, entry: string, title: string | RegExp, id = 'mirror-1') {
  await open(backend);
  await user.click(screen.getByRole('button', { name: `Actions for ${id}` }));
  await user.click(await screen.findByRole('menuitem', { name: entry }));
  return within(await screen.findByRole('dialog', { name: title }));
}

const one = (over = {}) => new FakeBackend(overview([repository([mirror(over), archive(), copy()])]));

describe('the menu of a card', () => {
  it('is the window’s own, and can be walked with the keyboard alone', async () => {
    await open(one());
    const opener = screen.getByRole('button', { name: 'Actions for mirror-1' });
    opener.focus();
    await user.keyboard('{Enter}');
    const entries = screen.getAllByRole('menuitem').map((entry) => entry.textContent);
    expect(entries).toEqual(
      expect.arrayContaining(['Edit…', 'Disable…', 'Test…', 'Remove…', 'Add another mirror…', 'Sync now']),
    );
    await user.keyboard('{End}');
    expect(screen.getByRole('menuitem', { name: 'Add another mirror…' })).toHaveFocus();
  });
});

describe('editing', () => {
  it('says only what is another, and shows it before it is written', async () => {
    const backend = one();
    const page = await choose(backend, 'Edit…', 'Edit mirror-1');
    const go = page.getByRole('button', { name: 'Show what changes' });
    expect(go).toHaveAttribute('aria-disabled', 'true');
    await user.click(go);
    expect(called(backend, 'mirrorDraft')).toEqual([]);
    await user.click(page.getByRole('checkbox', { name: 'Workflows' }));
    await user.selectOptions(page.getByRole('combobox', { name: 'When it is synced by itself' }), 'Another…');
    await user.type(page.getByRole('textbox', { name: 'When it is synced by itself' }), '2h');
    await user.click(go);
    const request = {
      repository: 'orchestrator',
      form: null,
      change: {
        change: 'edit' as const,
        mirror: 'mirror-1',
        changes: [
          { key: 'sync' as const, value: ['code', 'secrets', 'variables'] },
          { key: 'schedule' as const, value: '2h' },
        ],
      },
    };
    expect(called(backend, 'mirrorDraft')).toEqual([['mirrorDraft', request]]);
    expect(await page.findByRole('region', { name: /What is changed in/ })).toHaveTextContent('+[[repository]]');
    expect(called(backend, 'mirrorWrite')).toEqual([]);
    await user.click(page.getByRole('button', { name: 'Save' }));
    expect(called(backend, 'mirrorWrite')).toEqual([['mirrorWrite', draft(request)]]);
    await vi.waitFor(() => expect(screen.queryByRole('dialog', { name: 'Edit mirror-1' })).toBeNull());
  });

  it('does not write what was shown for something else', async () => {
    const backend = one();
    const page = await choose(backend, 'Edit…', 'Edit mirror-1');
    await user.type(page.getByLabelText('Repository'), '-2');
    await user.click(page.getByRole('button', { name: 'Show what changes' }));
    await page.findByRole('button', { name: 'Save' });
    await user.type(page.getByLabelText('Repository'), '3');
    expect(page.queryByRole('button', { name: 'Save' })).toBeNull();
    expect(called(backend, 'mirrorWrite')).toEqual([]);
  });

  it('takes back what is said by itself', async () => {
    const backend = one();
    const page = await choose(backend, 'Edit…', 'Edit copy', 'copy');
    await user.selectOptions(
      page.getByRole('combobox', { name: 'How often it is pulled' }),
      'Nothing of its own: as often as the schedule says',
    );
    await user.click(page.getByRole('button', { name: 'Show what changes' }));
    expect(called(backend, 'mirrorDraft')[0]?.[1]).toMatchObject({
      change: { mirror: 'copy', changes: [{ key: 'interval', value: null }] },
    });
  });

  it('that is refused shows why and what would be written now, and keeps what was typed', async () => {
    const backend = one();
    backend.mirrorWrite = () =>
      Promise.reject(failure({ code: 'raced', message: 'standin.toml was changed meanwhile' }));
    const page = await choose(backend, 'Edit…', 'Edit mirror-1');
    await user.type(page.getByLabelText('Repository'), '-2');
    await user.click(page.getByRole('button', { name: 'Show what changes' }));
    await user.click(await page.findByRole('button', { name: 'Save' }));
    expect(await page.findByRole('alert')).toHaveTextContent('standin.toml was changed meanwhile');
    expect(called(backend, 'mirrorDraft')).toHaveLength(2);
    expect(page.getByLabelText('Repository')).toHaveValue('backup-account/orchestrator-2');
    expect(page.getByRole('button', { name: 'Save' })).toBeVisible();
  });
});

describe('switching', () => {
  it('off shows what is written and means', async () => {
    const backend = one();
    const page = await choose(backend, 'Disable…', 'Disable mirror-1');
    expect(called(backend, 'mirrorDraft')[0]?.[1]).toMatchObject({
      change: { change: 'edit', changes: [{ key: 'enabled', value: false }] },
    });
    await user.click(page.getByRole('button', { name: 'Disable' }));
    expect(called(backend, 'mirrorWrite')).toHaveLength(1);
  });

  it('on takes out what switches it off', async () => {
    const backend = one({ enabled: false });
    const page = await choose(backend, 'Enable…', 'Enable mirror-1');
    expect(called(backend, 'mirrorDraft')[0]?.[1]).toMatchObject({
      change: { changes: [{ key: 'enabled', value: null }] },
    });
    await user.click(page.getByRole('button', { name: 'Enable' }));
    expect(called(backend, 'mirrorWrite')).toHaveLength(1);
  });

  it('that cannot be drawn up says why, and can be tried again', async () => {
    const backend = one();
    const draw = backend.mirrorDraft;
    backend.mirrorDraft = () => Promise.reject(failure({ code: 'fenced_off', message: 'mirror-1 is the master' }));
    const page = await choose(backend, 'Disable…', 'Disable mirror-1');
    expect(await page.findByRole('alert')).toHaveTextContent('mirror-1 is the master');
    expect(page.getByRole('button', { name: 'Disable' })).toBeDisabled();
    backend.mirrorDraft = draw;
    await user.click(page.getByRole('button', { name: 'Try again' }));
    await vi.waitFor(() => expect(page.getByRole('button', { name: 'Disable' })).toBeEnabled());
  });
});

describe('a test', () => {
  it('lists what works, what does not, and what only writing would tell', async () => {
    const backend = one();
    backend.mirrorTest = async (_, id) => ({ mirror: id, repo: 'backup-account/orchestrator', checks, host_key: null });
    const page = await choose(backend, 'Test…', 'Test of mirror-1');
    expect(await page.findByText('1 of 3 checks failed.')).toBeVisible();
    const found = within(page.getByRole('list', { name: 'Checks' })).getAllByRole('listitem');
    expect(found.map((item) => item.textContent?.replace(/\s+/g, ' ').trim())).toEqual([
      'reach the hostgithub.com answers',
      'Cannot push branches and tagsthe token may only read',
      'Not known before writing: set secretsonly writing one would tell',
    ]);
  });

  it('asks about the key of a host, and tries again once it is trusted', async () => {
    const backend = one();
    const answer = { mirror: 'mirror-2', repo: 'ssh://nas.local/app', checks: [] };
    backend.mirrorTest = async () => ({ ...answer, host_key: hostKey });
    const page = await choose(backend, 'Test…', 'Test of mirror-2', 'mirror-2');
    expect(await page.findByText(hostKey.fingerprint)).toBeVisible();
    backend.mirrorTest = async () => ({ ...answer, checks: [checks[0]!], host_key: null });
    await user.click(page.getByRole('button', { name: 'Trust this key' }));
    expect(called(backend, 'hostKeyAccept')).toEqual([['hostKeyAccept', hostKey]]);
    expect(await page.findByText('All that can be tried works.')).toBeVisible();
  });
});

describe('removing', () => {
  it('lists what stays, cleans away what is ticked, and writes what was shown', async () => {
    const backend = one();
    backend.mirrorLeaving = async () => leaving;
    const page = await choose(backend, 'Remove…', 'Remove mirror-1');
    const box = (name: RegExp) => page.getByRole('checkbox', { name });
    await page.findByRole('group', { name: 'Clean away' });
    expect(box(/the fence/)).toBeChecked();
    // What would begin to run there is never taken for granted.
    expect(box(/workflows that Standin switched off/)).not.toBeChecked();
    expect(page.queryByRole('checkbox', { name: /12 branches/ })).toBeNull();
    expect(page.getByText(/12 branches and tags/)).toBeVisible();
    await user.click(box(/the sentinel’s secrets/));
    await user.click(box(/workflows that Standin/));
    await user.click(await page.findByRole('button', { name: 'Clean away and remove' }));
    const request = {
      repository: 'orchestrator',
      form: null,
      change: { change: 'remove' as const, mirror: 'mirror-1' },
    };
    expect(called(backend, 'mirrorRemove')).toEqual([['mirrorRemove', draft(request), ['fence', 'workflows']]]);
    await vi.waitFor(() => expect(screen.queryByRole('dialog', { name: 'Remove mirror-1' })).toBeNull());
    await vi.waitFor(() => expect(screen.getByRole('tabpanel')).toHaveFocus());
  });

  it('that is not possible says why, and offers no way to do it', async () => {
    const backend = one();
    backend.mirrorLeaving = () => Promise.reject(failure({ code: 'fenced_off', message: 'mirror-1 is the master' }));
    const page = await choose(backend, 'Remove…', 'Remove mirror-1');
    expect(await page.findByRole('alert')).toHaveTextContent('mirror-1 is the master');
    expect(page.getByRole('button', { name: 'Remove' })).toBeDisabled();
  });

  it('that breaks off shows why, and can be done again', async () => {
    const backend = one();
    backend.mirrorLeaving = async () => leaving;
    const remove = backend.mirrorRemove;
    backend.mirrorRemove = () => Promise.reject(failure({ message: 'the fence could not be removed' }));
    const page = await choose(backend, 'Remove…', 'Remove mirror-1');
    await user.click(await page.findByRole('button', { name: 'Clean away and remove' }));
    expect(await page.findByRole('alert')).toHaveTextContent('the fence could not be removed');
    backend.mirrorRemove = remove;
    await user.click(page.getByRole('button', { name: 'Clean away and remove' }));
    expect(called(backend, 'mirrorRemove')).toHaveLength(1);
  });
});
