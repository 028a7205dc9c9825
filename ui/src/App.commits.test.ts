// The commits that a decision, or a change of a ref, is about.

import { screen, within } from '@testing-library/svelte';
import axe from 'axe-core';
import { describe, expect, it, vi } from 'vitest';

import type { CodePlan } from './lib/bindings/CodePlan';
import type { Divergence } from './lib/bindings/Divergence';
import type { PlannedChange } from './lib/bindings/PlannedChange';
import {
  ago,
  ask,
  failure,
  FakeBackend,
  mirror,
  OID,
  OTHER_OID,
  overview,
  plan,
  repository,
  section,
} from './testing/fake';
import { codePlan } from './testing/fake_code';
import { atOneMoment, open, user } from './testing/page';

atOneMoment();

const diverged = (name: string): Divergence => ({
  name,
  mirror_tip: OTHER_OID,
  source_tip: OID,
  ahead: 2,
  behind: 1,
  decision: null,
});

function backendOf(names: string[], changes: PlannedChange[] = [], over: Partial<CodePlan> = {}): FakeBackend {
  const backend = new FakeBackend(overview([repository([mirror()])]));
  const code = codePlan(names.map(diverged), over);
  const asks = names.map((id) =>
    ask({
      id,
      topic: 'diverged',
      words: 'It is another.',
      choices: [{ choice: 'take', label: 'Take', words: 'Home.' }],
    }),
  );
  backend.plans = [plan({ sections: [section('code', { asks, changes, details: { code } })] })];
  return backend;
}

async function preview(backend: FakeBackend) {
  const container = await open(backend);
  await user.click(screen.getByRole('button', { name: 'Preview a sync of mirror-1' }));
  const dialog = await screen.findByRole('dialog');
  await within(dialog).findByText(/Everything is in step/);
  return { container, page: within(dialog) };
}

const asked = (backend: FakeBackend) => backend.calls.filter(([name]) => name === 'commits').map(([, ...of]) => of);

describe('the commits of a decision', () => {
  it('are shown at once where there is one, of both sides, with who, when and which files', async () => {
    const backend = backendOf(['refs/heads/main']);
    const { page } = await preview(backend);
    const own = within(await page.findByRole('group', { name: 'Only at backup-account/orchestrator (2)' }));
    expect(await page.findByRole('group', { name: 'Only at you/orchestrator (2)' })).toBeVisible();
    expect(asked(backend)).toEqual([
      ['orchestrator', 'mirror-1', OTHER_OID, OID],
      ['orchestrator', 'mirror-1', OID, OTHER_OID],
    ]);
    const [first] = own.getAllByRole('listitem');
    expect(first).toHaveTextContent(/Answer twice as fast Grace, 1 day ago, 093f7683e987/);
    await user.click(own.getByText('2 files changed'));
    expect(own.getByText('src/answer.ts')).toBeVisible();
    await user.click(page.getByRole('button', { name: 'Hide the commits of branch main' }));
    expect(page.queryByText('Answer twice as fast')).toBeNull();
  });

  it('of several wait until somebody wants them', async () => {
    const backend = backendOf(['refs/heads/main', 'refs/heads/topic']);
    const { page } = await preview(backend);
    expect(asked(backend)).toEqual([]);
    await user.click(page.getByRole('button', { name: 'Show the commits of branch topic' }));
    expect(await page.findAllByText('Mend the greeting')).toHaveLength(2);
    expect(page.getByRole('button', { name: 'Show the commits of branch main' })).toHaveAttribute(
      'aria-expanded',
      'false',
    );
  });

  it('that cannot be read say why, can be asked for again, and hinder no decision', async () => {
    const backend = backendOf(['refs/heads/main']);
    const read = backend.commits;
    backend.commits = () => Promise.reject(failure({ message: 'the mirror does not answer' }));
    const { page } = await preview(backend);
    expect(await page.findAllByText('the mirror does not answer')).toHaveLength(2);
    backend.commits = read;
    await user.click(page.getAllByRole('button', { name: 'Try again' })[0]!);
    expect(await page.findByText('Answer twice as fast')).toBeVisible();
    await user.click(page.getByRole('radio', { name: /^Bring home/ }));
    await user.click(page.getByRole('button', { name: 'Decide about branch main' }));
    expect(backend.calls).toContainEqual(['resolve', 'orchestrator', 'mirror-1', 'refs/heads/main', 'take']);
  });

  it('are not asked for again with each answer', async () => {
    const backend = backendOf(['refs/heads/main']);
    backend.resolve = () => Promise.reject(failure());
    const { page } = await preview(backend);
    await page.findAllByText('Answer twice as fast');
    await user.click(page.getByRole('radio', { name: /^Bring home/ }));
    await user.click(page.getByRole('button', { name: 'Decide about branch main' }));
    expect(asked(backend)).toHaveLength(2);
  });

  it('are a few at first where they are many, and the rest is counted', async () => {
    const backend = backendOf(['refs/heads/main']);
    const commits = Array.from({ length: 12 }, (_, at) => ({
      oid: String(at).padStart(40, 'a'),
      subject: `Step ${at}`,
      author: 'Grace',
      at_iso: ago(3600 * at),
    }));
    backend.commitList = { commits, count: 140, files: [], file_count: 0 };
    const { page } = await preview(backend);
    const own = await page.findByRole('group', { name: 'Only at backup-account/orchestrator (140)' });
    expect(within(own).getAllByRole('listitem')).toHaveLength(5);
    expect(own).toHaveTextContent('Only at backup-account/orchestrator (140)');
    await user.click(within(own).getByRole('button', { name: 'Show 7 more' }));
    expect(within(own).getAllByRole('listitem')).toHaveLength(12);
    expect(within(own).getByText('and 128 older')).toBeVisible();
    expect(own).toHaveFocus();
  });
});

describe('the commits of a ref that would change', () => {
  const changes: PlannedChange[] = [
    { aspect: 'code', action: 'fast_forward', name: 'refs/heads/main', before: OTHER_OID, after: OID },
    { aspect: 'code', action: 'rewrite', name: 'refs/tags/v1', before: OID, after: OTHER_OID },
    { aspect: 'code', action: 'delete', name: 'refs/heads/old', before: OTHER_OID },
    { aspect: 'code', action: 'default_branch', name: 'main' },
    { aspect: 'secrets', action: 'create', name: 'API_KEY' },
  ];

  it('unfold in its row: the new ones, and those that go', async () => {
    const backend = backendOf([], changes, { source_tip: OID });
    const { page } = await preview(backend);
    expect(page.getAllByRole('button', { name: /^Show the commits/ })).toHaveLength(3);
    await user.click(page.getByRole('button', { name: 'Show the commits of branch main' }));
    expect(await page.findByRole('group', { name: 'New commits (2)' })).toBeVisible();
    await user.click(page.getByRole('button', { name: 'Show the commits of tag v1' }));
    expect(await page.findByRole('group', { name: 'Commits that go (2)' })).toBeVisible();
    await user.click(page.getByRole('button', { name: 'Show the commits of branch old' }));
    const gone = 'Commits that go, without those of the default branch (2)';
    expect(await page.findByRole('group', { name: gone })).toBeVisible();
    expect(asked(backend)).toEqual([
      ['orchestrator', 'mirror-1', OID, OTHER_OID],
      ['orchestrator', 'mirror-1', OID, OTHER_OID],
      ['orchestrator', 'mirror-1', OTHER_OID, OID],
      ['orchestrator', 'mirror-1', OTHER_OID, OID],
    ]);
  });

  it('say where there is none', async () => {
    const backend = backendOf([], changes.slice(0, 1));
    backend.commitList = { commits: [], count: 0, files: [], file_count: 0 };
    const { container, page } = await preview(backend);
    await user.click(page.getByRole('button', { name: 'Show the commits of branch main' }));
    expect(await page.findByText('None.')).toBeVisible();
    vi.useRealTimers();
    const found = await axe.run(container, { rules: { 'color-contrast': { enabled: false } } });
    expect(found.violations.map((violation) => violation.id)).toEqual([]);
  });
});
