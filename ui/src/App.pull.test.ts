import { screen } from '@testing-library/svelte';
import { describe, expect, it, vi } from 'vitest';

import {
  ago,
  copy,
  FakeBackend,
  job,
  mirror,
  overview,
  repository,
  started,
  totals,
  unknown,
  UPSTREAM,
  waits,
} from './testing/fake';
import { atOneMoment, open, card, user } from './testing/page';

atOneMoment();

function page(over: Parameters<typeof copy>[0] = {}): FakeBackend {
  return new FakeBackend(overview([repository([copy(over)], { master: UPSTREAM, epoch: null })]));
}

function shown(): string | null {
  return document.querySelector('[data-sync]')?.getAttribute('data-sync') ?? null;
}

describe('the copy of an upstream', () => {
  it('has no role and nothing to promote, and shows where it is kept', async () => {
    await open(page());
    const found = card('copy');
    expect(found.getByRole('heading', { name: UPSTREAM })).toBeVisible();
    expect(found.getByText('/home/you/.local/share/standin/library/pull/copy.git')).toBeVisible();
    expect(found.getByText('Pull mirror')).toBeVisible();
    expect(found.queryByText(/MASTER|SLAVE/)).toBeNull();
    expect(found.queryByText(/kept in step with it/)).toBeNull();
    expect(screen.queryByRole('button', { name: /promote/i })).toBeNull();
    expect(screen.queryByText(/Self role/)).toBeNull();
  });

  it('is idle with the time of its last sync, or says that there was none', async () => {
    await open(page());
    expect(shown()).toBe('success');
    expect(card('copy').getByText(/Last sync/)).toHaveTextContent('2 minutes ago');
    expect(screen.getByRole('button', { name: 'Sync now, copy' })).toBeEnabled();
  });

  it('that was never synced says so', async () => {
    const { last_synced_at: _, ...never } = copy({ sync_status: 'idle', status: 'idle', code: unknown });
    await open(new FakeBackend(overview([repository([never], { master: UPSTREAM })])));
    expect(shown()).toBe('idle');
    expect(card('copy').getByText('Never synced', { selector: '.said' })).toBeVisible();
  });

  it('turns its icon while it is synced, says "Synced" for three seconds, then the new time', async () => {
    const backend = page();
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Sync now, copy' }));
    expect(backend.calls).toContainEqual(['sync', { repository: 'orchestrator', mirrors: ['copy'], yes: false }]);
    const button = await screen.findByRole('button', { name: 'Syncing copy' });
    expect(button).toBeDisabled();
    expect(button.querySelector('.turning')).not.toBeNull();
    expect(shown()).toBe('syncing');

    backend.answer = overview([repository([copy({ last_synced_at: ago(-4) })], { master: UPSTREAM })]);
    const place = { repository: 'orchestrator', mirror: 'copy', run: 'run-9' };
    backend.say(
      started(job({ id: 'job-1', mirrors: ['copy'] })),
      { at_iso: ago(0), event: 'run_started', repo: UPSTREAM, type: 'pull', ...place },
      { at_iso: ago(-1), event: 'aspect_started', aspect: 'code', ...place },
    );
    expect(await screen.findByRole('log', { name: 'Lines of copy' })).toHaveTextContent('Code pull…');
    backend.say({ at_iso: ago(-4), event: 'run_finished', status: 'success', error: null, totals, ...place });
    backend.endJob('job-1', ['copy']);
    await vi.waitFor(() => expect(shown()).toBe('synced'));
    expect(card('copy').getByText('Synced', { selector: '.well' })).toBeVisible();
    await vi.advanceTimersByTimeAsync(3100);
    expect(shown()).toBe('success');
    expect(card('copy').getByText(/Last sync/)).toHaveTextContent('just now');
  });

  it('that failed says why, and since when it is old', async () => {
    await open(page({ sync_status: 'failed', status: 'failed', sync_error: 'the upstream is gone' }));
    expect(shown()).toBe('failed');
    expect(card('copy').getByText('Failed: the upstream is gone')).toBeVisible();
    expect(card('copy').getByText(/Last sync that worked/)).toHaveTextContent('2 minutes ago');
    expect(screen.getByRole('button', { name: 'Sync now, copy' })).toBeEnabled();
  });

  it('that waits shows its question, and leads to what it is about', async () => {
    const backend = page({
      sync_status: 'blocked',
      status: 'blocked',
      standing: waits,
      sync_error: 'the source has no branches',
    });
    await open(backend);
    expect(shown()).toBe('blocked');
    expect(card('copy').getByText('the source has no branches', { selector: '.waits' })).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Decide about copy' }));
    expect(backend.calls.some(([name]) => name === 'plan')).toBe(true);
  });

  it('that another program syncs is busy here too', async () => {
    await open(page({ status: 'syncing', sync_status: 'syncing' }));
    expect(screen.getByRole('button', { name: 'Syncing copy' })).toBeDisabled();
  });

  it("beside a standby is in nobody's drawing of who is master", async () => {
    const own = copy({ repo: 'you/orchestrator', mirror_url: 'you/orchestrator' });
    await open(new FakeBackend(overview([repository([mirror(), own])])));
    expect(card('copy').queryByText(/kept in step with it/)).toBeNull();
    expect(screen.getByRole('button', { name: 'Sync now, copy' })).toBeEnabled();
  });
});
