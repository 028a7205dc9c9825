// What happened, as the page tells it: the chart, the syncs, the audit trail, and the rescued tips.

import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, it, vi } from 'vitest';

import type { RunRecord } from './lib/bindings/RunRecord';
import {
  ago,
  archive,
  dot,
  ended,
  failure,
  FakeBackend,
  job,
  madeChanges,
  mirror,
  OTHER_OID,
  overview,
  repository,
  run,
  started,
  totals,
  track,
} from './testing/fake';
import { atOneMoment, open, user } from './testing/page';

atOneMoment();

function backendOf(runs?: RunRecord[]): FakeBackend {
  const backend = new FakeBackend(overview([repository([mirror(), archive()])]));
  if (runs) backend.runs = runs;
  return backend;
}

async function activity(backend: FakeBackend): Promise<void> {
  await open(backend);
  await user.click(screen.getByRole('tab', { name: 'Activity' }));
}

/** The rows of the list as soon as it is there. By their marks: roles of hundreds of rows take long to find. */
async function rows(): Promise<HTMLElement[]> {
  const list = await waitFor(() => {
    const found = document.querySelector('ul[aria-label="Syncs"]');
    if (!found) throw new Error('no list of syncs');
    return found;
  });
  return [...list.querySelectorAll<HTMLElement>('[data-row]')];
}

describe('the syncs', () => {
  it('are rows with when, what changed in words, how it ended, how long it took, and what set it off', async () => {
    await activity(backendOf());
    const [first, second] = await rows();
    expect(first).toHaveTextContent(
      /2 minutes ago main, RESEND_API_KEY updated mirror-1 ?, ?In step 5\.0 s by hand you@desk/,
    );
    expect(second).toHaveTextContent(/2 hours ago Nothing changed mirror-1 ?,? ?.*could not be reached Failed 20\.0 s/);
    await user.click(first!);
    const changes = within(await screen.findByRole('list', { name: 'Changes of this run' }));
    expect(changes.getByText(/Fast-forwarded branch main/)).toBeVisible();
    expect(changes.getByText(/Updated secret RESEND_API_KEY/)).toBeVisible();
  });

  it('of several mirrors are one row each, which opens to the mirrors, the worst first', async () => {
    const together = { job: 'job-all', totals, changes: madeChanges };
    await activity(
      backendOf([
        run('run-b', 600, { ...together, mirror: 'mirror-2', status: 'failed', error: failure(), changes: [] }),
        run('run-a', 601, together),
      ]),
    );
    const all = await rows();
    expect(all).toHaveLength(1);
    expect(all[0]).toHaveTextContent('1 of 2 failed');
    expect(all[0]).toHaveTextContent('mirror-2, mirror-1');
    await user.click(all[0]!);
    const parts = within(screen.getByRole('list', { name: 'Mirrors of this sync' }));
    const [first, second] = parts.getAllByRole('button', { expanded: true });
    expect(first).toHaveTextContent(/mirror-2 Failed/);
    expect(second).toHaveTextContent(/mirror-1 In step main, RESEND_API_KEY updated/);
    expect(parts.getByText(/Check the connection and sync again/)).toBeVisible();
  });

  it('say where nothing happened yet', async () => {
    await activity(backendOf([]));
    expect(await screen.findByText('No syncs yet. The first one is the first line here.')).toBeVisible();
  });

  it('that cannot be read say why, and can be asked for again', async () => {
    const backend = backendOf();
    const answer = backend.history;
    backend.history = () => Promise.reject(failure({ message: 'state.db is locked' }));
    await activity(backend);
    expect(await screen.findByText('state.db is locked')).toBeVisible();
    backend.history = answer;
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await rows()).toHaveLength(2);
    expect(screen.queryByText('state.db is locked')).toBeNull();
  });

  it('are read anew when a job ends, and what is unfolded stays so, without being read again', async () => {
    const backend = backendOf();
    const asked = vi.spyOn(backend, 'run');
    await activity(backend);
    await user.click((await rows())[0]!);
    const shown = await screen.findByRole('list', { name: 'Changes of this run' });
    backend.say(started(job()));
    backend.runs = [run('run-3', 0, { mirror: 'mirror-2' }), ...backend.runs];
    backend.say(ended(job()));
    await waitFor(async () => expect(await rows()).toHaveLength(3));
    const [added, unfolded] = await rows();
    expect(added).toHaveAttribute('aria-expanded', 'false');
    expect(unfolded).toHaveAttribute('aria-expanded', 'true');
    expect(shown).toBeInTheDocument();
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it('are shown fifty at a time, and the focus goes to the first of those that were asked for', async () => {
    await activity(backendOf(Array.from({ length: 60 }, (_, at) => run(`run-${at}`, 600 * (at + 1)))));
    expect(await rows()).toHaveLength(50);
    await user.click(screen.getByText('Older…'));
    await waitFor(async () => expect(await rows()).toHaveLength(60));
    expect((await rows())[50]).toHaveFocus();
    expect(screen.queryByText('Older…')).toBeNull();
  });

  it('have the changes of master between them', async () => {
    const backend = backendOf();
    backend.audit = async () => [
      {
        at_iso: ago(3600),
        actor: 'you@desk (desktop)',
        action: 'promote',
        repository: 'orchestrator',
        mirror: 'mirror-1',
        detail: 'make backup-account/orchestrator temporary_master, since you/orchestrator is gone: done',
        outcome: 'ok',
      },
    ];
    await activity(backend);
    await screen.findByText('mirror-1 became master');
    const all = await rows();
    expect(all.map((row) => row.textContent?.includes('became master'))).toEqual([false, true, false]);
    expect(all[1]).toHaveTextContent('since you/orchestrator is gone');
    expect(all[1]).toHaveTextContent('TEMPORARY_MASTER');
  });
});

describe('the filters', () => {
  it('ask the backend for a mirror, a state and what set a sync off', async () => {
    const backend = backendOf();
    await activity(backend);
    await rows();
    await user.selectOptions(screen.getByRole('combobox', { name: 'State' }), 'Failed');
    await waitFor(async () => expect(await rows()).toHaveLength(1));
    await user.selectOptions(screen.getByRole('combobox', { name: 'Mirror' }), 'mirror-2');
    expect(await screen.findByText('No sync is as asked for.')).toBeVisible();
    await user.selectOptions(screen.getByRole('combobox', { name: 'Set off by' }), 'On schedule');
    expect(backend.calls.at(-1)).toEqual([
      'history',
      {
        repository: 'orchestrator',
        mirror: 'mirror-2',
        status: 'failed',
        trigger: 'schedule',
        until_iso: null,
        text: null,
      },
    ]);
    await user.click(screen.getByRole('button', { name: 'Clear filters' }));
    await waitFor(async () => expect(await rows()).toHaveLength(2));
    expect(screen.getByRole('searchbox', { name: 'Words' })).toHaveFocus();
  });

  it('look for changes in what is loaded', async () => {
    const backend = backendOf();
    await activity(backend);
    await rows();
    await user.click(screen.getByRole('checkbox', { name: 'Only syncs that changed something' }));
    expect(await rows()).toHaveLength(1);
    expect((await rows())[0]).toHaveTextContent('RESEND_API_KEY');
    expect(backend.calls.filter(([name]) => name === 'history')).toHaveLength(1);
  });

  it('look for words in what is loaded at once, and ask for them once nobody types', async () => {
    const backend = backendOf();
    const old = run('run-old', 90_000, { status: 'failed', error: failure() });
    await activity(backend);
    await rows();
    backend.runs = [...backend.runs, old];
    await user.type(screen.getByRole('searchbox', { name: 'Words' }), 'REACHED');
    expect(await rows()).toHaveLength(1);
    expect((await rows())[0]).toHaveTextContent('Failed');
    await waitFor(async () => expect(await rows()).toHaveLength(2));
    expect(backend.calls.filter(([name]) => name === 'history').map(([, choice]) => choice)).toEqual([
      expect.objectContaining({ text: null }),
      expect.objectContaining({ text: 'REACHED' }),
    ]);
    await user.type(screen.getByRole('searchbox', { name: 'Words' }), ' nothing like it');
    expect(screen.getByText('None of the 2 runs that are loaded.')).toBeVisible();
    expect(await screen.findByText('No sync is as asked for.')).toBeVisible();
  });

  it('narrow the file by words too, as they stand there', async () => {
    const backend = backendOf();
    await activity(backend);
    await user.type(await screen.findByRole('searchbox', { name: 'Words' }), 'RESEND');
    await user.click(screen.getByRole('button', { name: 'Export as JSON' }));
    expect(backend.calls).toContainEqual(['historyExport', expect.objectContaining({ text: 'RESEND' }), 'json']);
  });

  it('narrow the file that is written, which is named afterwards', async () => {
    const backend = backendOf();
    await activity(backend);
    await user.selectOptions(await screen.findByRole('combobox', { name: 'State' }), 'Failed');
    await user.click(screen.getByRole('button', { name: 'Export as CSV' }));
    expect(await screen.findByText('Written to /home/you/standin-history.csv')).toBeVisible();
    expect(backend.calls.at(-1)).toEqual(['historyExport', expect.objectContaining({ status: 'failed' }), 'csv']);
    backend.historyExport = async () => null;
    await user.click(screen.getByRole('button', { name: 'Export as JSON' }));
    expect(screen.queryByText(/^Written/)).toBeNull();
    backend.historyExport = () => Promise.reject(failure({ message: 'the disk is full' }));
    await user.click(screen.getByRole('button', { name: 'Export as JSON' }));
    expect(await screen.findByText('the disk is full')).toBeVisible();
  });
});

describe('the chart', () => {
  it('says of each mirror in a sentence what it shows', async () => {
    await activity(backendOf());
    const line = await screen.findByRole('listbox', { name: 'Syncs of mirror-1' });
    expect(line).toHaveAccessibleDescription(
      'mirror-1: In step 2 minutes ago. 2 syncs in 30 days: 1 in step, 1 failed. ' +
        'Longest time without being in step: 30 days, longer than 1 day.',
    );
  });

  it('is gone through with the arrow keys, and opens a sync in the list', async () => {
    await activity(backendOf());
    const line = await screen.findByRole('listbox', { name: 'Syncs of mirror-1' });
    line.focus();
    const dotNow = () => document.getElementById(line.getAttribute('aria-activedescendant')!);
    expect(dotNow()).toHaveTextContent(/^\d\d:\d\d: in step, 2 changes, 5\.0 s$/);
    await user.keyboard('{ArrowLeft}');
    expect(dotNow()).toHaveTextContent(/^\d\d:\d\d: failed, nothing changed, 5\.0 s$/);
    expect(dotNow()).toHaveAttribute('aria-posinset', '1');
    expect(screen.getByText(/^mirror-1, \d\d:\d\d: failed, nothing changed, 5\.0 s$/)).toBeVisible();
    await user.keyboard('{Enter}');
    const [, second] = await rows();
    await waitFor(() => expect(second).toHaveFocus());
    expect(second).toHaveAttribute('aria-expanded', 'true');
  });

  it('opens a sync that is not loaded at its place in the history, and leads back', async () => {
    const backend = backendOf(Array.from({ length: 230 }, (_, at) => run(`run-${at}`, 600 * (at + 1))));
    backend.tracks = [track('mirror-1', [dot('run-220', 600 * 221)])];
    await activity(backend);
    (await screen.findByRole('listbox')).focus();
    await user.keyboard('{Enter}');
    await waitFor(() => expect(document.activeElement).toHaveAttribute('data-sync', 'job-job-run-220'));
    expect(await rows()).toHaveLength(10);
    await user.click(screen.getByText('Back to the newest'));
    await waitFor(async () => expect(await rows()).toHaveLength(50));
  });

  it('says that a sync is not in the history any more', async () => {
    const backend = backendOf();
    backend.tracks = [track('mirror-1', [dot('run-gone', 6000)])];
    await activity(backend);
    (await screen.findByRole('listbox')).focus();
    await user.keyboard('{Enter}');
    expect(await screen.findByText('This sync is not in the history any more.')).toBeVisible();
  });

  it('shows as many days as are asked for', async () => {
    const backend = backendOf();
    await activity(backend);
    await screen.findByRole('listbox');
    await user.click(screen.getByRole('button', { name: '90 days' }));
    expect(screen.getByRole('heading', { name: 'The last 90 days' })).toBeVisible();
    await waitFor(() => expect(backend.calls).toContainEqual(['activity', 'orchestrator', 90]));
  });

  it('of many mirrors shows the worst first, and folds the rest', async () => {
    const backend = backendOf();
    backend.tracks = Array.from({ length: 12 }, (_, at) => track(`mirror-${at}`, [dot(`run-${at}`, 3600 * (at + 1))]));
    await activity(backend);
    const lines = await screen.findAllByRole('listbox');
    expect(lines).toHaveLength(8);
    expect(lines[0]).toHaveAccessibleName('Syncs of mirror-11');
    await user.click(screen.getByRole('button', { name: 'Show 4 more of 12 mirrors' }));
    expect(screen.getAllByRole('listbox')).toHaveLength(12);
  });

  it('that cannot be read says why, and leaves the list', async () => {
    const backend = backendOf();
    backend.activity = () => Promise.reject(failure({ message: 'the chart cannot be made' }));
    await activity(backend);
    expect(await screen.findByText('the chart cannot be made')).toBeVisible();
    expect(await rows()).toHaveLength(2);
  });
});

describe('the audit trail', () => {
  it('tells ok from failed, and unfolds why', async () => {
    const backend = backendOf();
    const entry = { actor: 'you@desk (cli)', repository: 'orchestrator', mirror: 'mirror-1' };
    backend.audit = async () => [
      { ...entry, at_iso: ago(60), action: 'rescue_restore', detail: 'r1', outcome: 'HTTP 403 for `main`' },
      { ...entry, at_iso: ago(90), action: 'sync', detail: '2 changes', outcome: 'ok' },
    ];
    await activity(backend);
    await user.click(screen.getByRole('button', { name: 'Audit trail' }));
    const table = within(await screen.findByRole('table', { name: 'Audit trail' }));
    expect(table.getByText('Rescue restore')).toBeVisible();
    expect(table.getByRole('cell', { name: 'ok' })).toBeVisible();
    expect(table.queryByText(/HTTP 403/)).toBeNull();
    await user.click(table.getByRole('button', { name: 'failed' }));
    expect(table.getByText(/HTTP 403 for/)).toBeVisible();
    expect(table.getByRole('button', { name: 'failed' })).toHaveAttribute('aria-expanded', 'true');
  });
});

describe('a rescued tip', () => {
  async function asked(backend: FakeBackend): Promise<ReturnType<typeof within>> {
    await activity(backend);
    await user.click(screen.getByRole('button', { name: 'Rescues' }));
    await user.click(await screen.findByRole('button', { name: 'Restore… branch topic of mirror-1' }));
    return within(screen.getByRole('group', { name: 'What a restore of branch topic does' }));
  }

  it('is restored once it is shown what that does', async () => {
    const backend = backendOf();
    const plan = await asked(backend);
    expect(plan.getByText(/Branch topic of backup-account\/orchestrator points to 5c1d8f00aa11 again/)).toBeVisible();
    expect(plan.getByText(/nothing is moved or deleted for it/)).toBeVisible();
    expect(backend.calls.filter(([name]) => name === 'rescueRestore')).toEqual([]);
    await user.click(plan.getByRole('button', { name: 'Restore branch topic' }));
    expect(backend.calls).toContainEqual(['rescueRestore', 'r1']);
    expect(await screen.findByText('Restored branch topic on mirror-1.')).toHaveFocus();
  });

  it('that cannot be restored says why, and can be tried again', async () => {
    const backend = backendOf();
    backend.rescueRestore = () => Promise.reject(failure({ message: 'topic is taken' }));
    const plan = await asked(backend);
    await user.click(plan.getByRole('button', { name: 'Restore branch topic' }));
    expect(await plan.findByText('topic is taken')).toBeVisible();
    expect(plan.getByRole('button', { name: 'Restore branch topic' })).toBeEnabled();
    await user.click(plan.getByRole('button', { name: 'Cancel' }));
    expect(screen.getByRole('button', { name: 'Restore… branch topic of mirror-1' })).toHaveFocus();
  });

  it('of a mirror that is no more offers no button', async () => {
    const backend = backendOf();
    backend.answer = overview([repository([archive()])]);
    const plan = await asked(backend);
    expect(plan.getByText(/The mirror mirror-1 is not configured any more/)).toBeVisible();
    expect(plan.queryByRole('button', { name: /Restore/ })).toBeNull();
  });

  it('is told with the first line of its commit and who wrote it', async () => {
    const backend = backendOf();
    await activity(backend);
    await user.click(screen.getByRole('button', { name: 'Rescues' }));
    const rows = await screen.findByRole('list', { name: 'Rescued tips' });
    expect(await within(rows).findByText(/^Answer twice as fast/)).toHaveTextContent('Answer twice as fast by Grace');
    expect(backend.calls).toContainEqual(['commits', 'orchestrator', 'mirror-1', OTHER_OID, null]);
  });

  it('of which the commit cannot be read can be restored and dropped all the same', async () => {
    const backend = backendOf();
    backend.commits = () => Promise.reject(failure());
    await asked(backend);
    expect(await screen.findByText('Its commit cannot be read here.')).toBeVisible();
    expect(screen.getByRole('button', { name: 'Drop… branch topic of mirror-1' })).toBeEnabled();
  });

  it('is dropped by a button with the deed, once it is said that it may be the only copy', async () => {
    const backend = backendOf();
    await activity(backend);
    await user.click(screen.getByRole('button', { name: 'Rescues' }));
    await user.click(await screen.findByRole('button', { name: 'Drop… branch topic of mirror-1' }));
    const plan = screen.getByRole('group', { name: 'What a drop of branch topic does' });
    expect(plan).toHaveFocus();
    expect(plan).toHaveTextContent(/may be the only copy/);
    expect(backend.calls.filter(([name]) => name === 'rescueDrop')).toEqual([]);
    const drop = backend.rescueDrop;
    backend.rescueDrop = () => Promise.reject(failure({ message: 'state.db is locked' }));
    await user.click(within(plan).getByRole('button', { name: 'Drop branch topic for good' }));
    expect(await within(plan).findByRole('alert')).toHaveTextContent('state.db is locked');
    backend.rescueDrop = drop;
    backend.rescues = async () => [];
    await user.click(within(plan).getByRole('button', { name: 'Drop branch topic for good' }));
    expect(backend.calls).toContainEqual(['rescueDrop', 'r1']);
    expect(await screen.findByText(/^Dropped branch topic at 5c1d8f00aa11/)).toHaveFocus();
    expect(await screen.findByText(/^Nothing had to be rescued/)).toBeVisible();
  });

  it('of many is listed and asked about as far as it is shown', async () => {
    const backend = backendOf();
    const [first] = await backend.rescues('orchestrator');
    backend.rescues = async () => Array.from({ length: 25 }, (_, at) => ({ ...first!, id: `r${at}` }));
    await activity(backend);
    await user.click(screen.getByRole('button', { name: 'Rescues' }));
    const commits = () => backend.calls.filter(([name]) => name === 'commits');
    await waitFor(() => expect(commits()).toHaveLength(20));
    await user.click(screen.getByText('Show 5 more of 25'));
    await waitFor(() => expect(commits()).toHaveLength(25));
    expect(document.activeElement).toHaveAttribute('data-rescue', 'r20');
    expect(document.querySelectorAll('[data-deed="drop"]')).toHaveLength(25);
  });
});

describe('the tab', () => {
  it('is reached with the arrow keys', async () => {
    await open(backendOf());
    screen.getByRole('tab', { name: 'Repo Mirrors' }).focus();
    await user.keyboard('{ArrowRight}');
    expect(screen.getByRole('tab', { name: 'Activity' })).toHaveFocus();
    expect(screen.getByRole('tab', { name: 'Activity' })).toHaveAttribute('aria-selected', 'true');
  });
});
