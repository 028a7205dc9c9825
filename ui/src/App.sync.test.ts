import { tick } from 'svelte';
import { screen, within } from '@testing-library/svelte';
import { describe, expect, it, vi } from 'vitest';

import {
  ago,
  archive,
  failure,
  FakeBackend,
  job,
  mirror,
  neverSynced,
  overview,
  repository,
  started,
  totals,
} from './testing/fake';
import { atOneMoment, open, card, row, beginning, ending, lines, user } from './testing/page';

atOneMoment();

describe('a sync', () => {
  it('shows its output live, then "Synced" for three seconds, then the new time', async () => {
    const backend = new FakeBackend(overview([repository([neverSynced()])]));
    await open(backend);
    const button = screen.getByRole('button', { name: 'Sync now, mirror-1' });
    await user.click(button);
    expect(backend.calls).toContainEqual(['sync', { repository: 'orchestrator', mirrors: ['mirror-1'], yes: false }]);
    backend.say(...beginning());
    const log = await lines('mirror-1');
    expect(log).toHaveTextContent('Code push…');
    expect(log).toHaveTextContent('Created branch main');
    expect(screen.getAllByRole('progressbar', { name: 'Code: writing objects' }).length).toBeGreaterThan(0);
    expect(screen.getByRole('button', { name: 'Cancel the sync of mirror-1' })).toBeEnabled();

    backend.answer = overview([repository([mirror({ code: { ...mirror().code, last_sync_iso: ago(-4) } })])]);
    backend.say(...ending());
    backend.endJob('job-1', ['mirror-1']);
    const chip = { selector: '.chip' };
    expect(await card('mirror-1').findByText('Synced', chip)).toBeVisible();
    expect(card('mirror-1').getByRole('button', { name: 'Synced, mirror-1' })).toBe(button);
    await vi.advanceTimersByTimeAsync(2900);
    expect(card('mirror-1').getByText('Synced', chip)).toBeVisible();
    await vi.advanceTimersByTimeAsync(200);
    expect(card('mirror-1').queryByText('Synced')).toBeNull();
    expect(row('mirror-1', 'Code')).toHaveTextContent('just now');
    expect(screen.queryByRole('log')).toBeNull();
    expect(screen.getByRole('region', { name: 'Output of mirror-1' })).toHaveTextContent('Done in 4.0 s');
    expect(await lines('mirror-1')).toHaveTextContent('Done in 4.0 s');

    await user.click(screen.getByRole('button', { name: 'Dismiss the output of mirror-1' }));
    expect(screen.queryByRole('region', { name: 'Output of mirror-1' })).toBeNull();
  });

  it('can be cancelled', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Sync now, mirror-1' }));
    await user.click(await screen.findByRole('button', { name: 'Cancel the sync of mirror-1' }));
    expect(backend.calls).toContainEqual(['cancel', 'job-1']);
    backend.endJob('job-1', ['mirror-1']);
    expect(await screen.findByRole('button', { name: 'Sync now, mirror-1' })).toBeEnabled();
  });

  it('of all mirrors is one job', async () => {
    const backend = new FakeBackend(overview([repository([mirror(), archive()])]));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Sync All Now' }));
    expect(backend.calls).toContainEqual(['sync', { repository: 'orchestrator', mirrors: [], yes: false }]);
    await user.click(await screen.findByRole('button', { name: 'Cancel' }));
    expect(backend.calls).toContainEqual(['cancel', 'job-1']);
  });

  it('that is refused says why, and lets the message be dismissed', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    backend.sync = () =>
      Promise.reject(failure({ code: 'busy', message: 'mirror-1 is held by you@other', hint: 'Wait.' }));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Sync now, mirror-1' }));
    const alert = await screen.findByRole('alert');
    expect(alert).toHaveTextContent('mirror-1 is held by you@other');
    expect(alert).toHaveTextContent('What to do: Wait.');
    await user.click(within(alert).getByRole('button', { name: 'Dismiss this message' }));
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('that could not begin shows its error in the output', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Sync now, mirror-1' }));
    backend.say(beginning()[0]!, {
      at_iso: ago(0),
      event: 'run_finished',
      run: 'run-never-started',
      repository: 'orchestrator',
      mirror: 'mirror-1',
      status: 'failed',
      error: failure(),
      totals,
    });
    const log = await lines('mirror-1');
    expect(log).toHaveTextContent('backup-account/orchestrator could not be reached');
    expect(log).toHaveTextContent('Check the connection and sync again.');
  });

  it('says whom it waits for while another process holds the mirror, and can be cancelled meanwhile', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Sync now, mirror-1' }));
    const [started, begun] = beginning();
    backend.say(started!, {
      at_iso: ago(0),
      event: 'run_waiting',
      repository: 'orchestrator',
      mirror: 'mirror-1',
      holder: 'you@desk pid 42, since 2026-02-07T18:00:00Z',
    });
    const log = await lines('mirror-1');
    expect(log).toHaveTextContent('Waiting for you@desk pid 42');
    expect(card('mirror-1').getByText('Waiting')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Cancel the sync of mirror-1' }));
    expect(backend.calls).toContainEqual(['cancel', 'job-1']);

    backend.say(begun!);
    expect(await card('mirror-1').findByText('Syncing', { selector: '.chip' })).toBeVisible();
    expect(card('mirror-1').queryByText('Waiting')).toBeNull();
  });

  it('waits until its own run goes on, whatever is read of the source meanwhile', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Sync now, mirror-1' }));
    const [started, begun] = beginning();
    const at_iso = ago(0);
    const of = { repository: 'orchestrator', mirror: 'mirror-1' };
    const holder = "github.com, which limits this token's requests until 2026-02-07T18:00:00Z";
    backend.say(started!, begun!, { at_iso, event: 'run_waiting', ...of, holder });
    expect(await card('mirror-1').findByText('Waiting')).toBeVisible();
    const fetched = { event: 'progress', aspect: 'code', phase: 'fetching objects', done: 1, total: 2 } as const;
    backend.say({ at_iso, ...fetched, repository: 'orchestrator', mirror: null });
    await tick();
    expect(card('mirror-1').getByText('Waiting')).toBeVisible();
    backend.say({ at_iso, ...fetched, ...of });
    expect(await card('mirror-1').findByText('Syncing', { selector: '.chip' })).toBeVisible();
    expect(card('mirror-1').queryByText('Waiting')).toBeNull();
  });

  it('of another repository whose mirror has the same name does not mix with it', async () => {
    const other = repository([mirror({ repo: 'backup-account/website' })], { repository: 'website' });
    const backend = new FakeBackend(overview([repository([mirror()]), other]));
    await open(backend);
    await user.click(
      within(screen.getByRole('navigation', { name: 'Repositories' })).getByRole('button', { name: /^orchestrator/ }),
    );
    backend.say(
      started(job()),
      started(job({ id: 'job-2', repository: 'website' })),
      {
        at_iso: ago(0),
        event: 'progress',
        repository: 'website',
        mirror: null,
        aspect: 'code',
        phase: 'fetching objects',
        done: 1,
        total: 2,
      },
      {
        at_iso: ago(0),
        event: 'notice',
        repository: 'website',
        mirror: 'mirror-1',
        notice: { message: 'The token of website ends soon', hint: '' },
      },
      {
        at_iso: ago(0),
        event: 'run_finished',
        run: 'run-never-started',
        repository: 'website',
        mirror: 'mirror-1',
        status: 'failed',
        error: failure({ message: 'website could not be reached' }),
        totals,
      },
      {
        at_iso: ago(0),
        event: 'notice',
        repository: 'orchestrator',
        mirror: null,
        notice: { message: 'The source is big', hint: '' },
      },
    );
    const log = await lines('mirror-1');
    expect(log).toHaveTextContent('The source is big');
    expect(log).not.toHaveTextContent('website');
    expect(screen.queryByRole('progressbar')).toBeNull();
    expect(screen.getByText('Live output')).toBeVisible();

    await user.click(screen.getByRole('button', { name: /website/ }));
    const theirs = await lines('mirror-1');
    expect(theirs).toHaveTextContent('The token of website ends soon');
    expect(theirs).toHaveTextContent('website could not be reached');
    expect(theirs).not.toHaveTextContent('The source is big');
  });

  it('that another process runs can be waited for, and cannot be cancelled here', async () => {
    const backend = new FakeBackend(overview([repository([mirror({ status: 'syncing' })])]));
    await open(backend);
    expect(card('mirror-1').getByText('Syncing elsewhere')).toBeVisible();
    expect(card('mirror-1').queryByRole('button', { name: /^Cancel/ })).toBeNull();
    await user.click(screen.getByRole('button', { name: 'Sync now, mirror-1' }));
    expect(backend.calls).toContainEqual(['sync', { repository: 'orchestrator', mirrors: ['mirror-1'], yes: false }]);
  });

  it('of all is cancelled for all, wherever that is said', async () => {
    await open(new FakeBackend(overview([repository([mirror(), archive()])])));
    await user.click(screen.getByRole('button', { name: 'Sync All Now' }));
    expect(card('mirror-1').getByRole('button', { name: 'Cancel all, the sync of all mirrors' })).toHaveTextContent(
      'Cancel all',
    );
    expect(card('mirror-2').getByRole('button', { name: 'Cancel all, the sync of all mirrors' })).toBeVisible();
  });
});
