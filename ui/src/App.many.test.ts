import { screen, within } from '@testing-library/svelte';
import axe from 'axe-core';
import { tick } from 'svelte';
import { describe, expect, it, vi } from 'vitest';

import { ago, archive, failed, FakeBackend, job, mirror, overview, repository, started, waits } from './testing/fake';
import { atOneMoment, card, open, user } from './testing/page';
import type { MirrorReport } from './lib/bindings/MirrorReport';

atOneMoment();

function one(number: number, over: Partial<MirrorReport> = {}): MirrorReport {
  return mirror({ id: `mirror-${number}`, repo: `backup-${number}/orchestrator`, ...over });
}

/** So many mirrors: one failed, two that wait, the rest in step. */
function many(count: number): MirrorReport[] {
  return Array.from({ length: count }, (_, number) =>
    number === count - 1
      ? one(number, {
          status: 'failed',
          standing: failed,
          secrets: { ...mirror().secrets, status: 'failed', error: '`X` failed' },
        })
      : one(number, number === 3 || number === 5 ? { status: 'blocked', standing: waits } : {}),
  );
}

const rows = () => [...document.querySelectorAll<HTMLElement>('[data-row]')];

describe('a few mirrors', () => {
  it('up to three are cards', async () => {
    await open(new FakeBackend(overview([repository(many(3))])));
    expect(document.querySelectorAll('[data-mirror]')).toHaveLength(3);
    expect(screen.queryByRole('table')).toBeNull();
  });

  it('up to twelve are lines, the worst first, each with name, state, behind, age and error', async () => {
    await open(new FakeBackend(overview([repository(many(12))])));
    const table = within(screen.getByRole('table', { name: 'Mirrors of orchestrator' }));
    const found = table.getAllByRole('row').map((row) => row.textContent?.replace(/\s+/g, ' ').trim());
    expect(found.slice(1, 4)).toEqual([
      expect.stringContaining('backup-11/orchestrator'),
      expect.stringContaining('backup-3/orchestrator'),
      expect.stringContaining('backup-5/orchestrator'),
    ]);
    expect(found[1]).toMatch(/Failed\s*0\s*2 minutes ago\s*X failed$/);
    expect(found).toHaveLength(13);
    expect(screen.queryByRole('group', { name: 'Which mirrors are shown' })).toBeNull();
  });
});

describe('two hundred mirrors', () => {
  it('stay light, with the failed one in sight', async () => {
    const container = await open(new FakeBackend(overview([repository(many(200))])));
    expect(container.querySelectorAll('*').length).toBeLessThan(3000);
    expect(rows()).toHaveLength(50);
    expect(rows()[0]).toHaveTextContent('backup-199/orchestrator');
    expect(screen.getByText('1 to 50 of 200')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Next' }));
    expect(screen.getByText('51 to 100 of 200')).toBeVisible();
    expect(screen.getByRole('button', { name: 'Next' })).toHaveFocus();
  });

  it('are drawn by the worst four, and the rest is counted', async () => {
    await open(new FakeBackend(overview([repository(many(200))])));
    const drawing = within(screen.getByRole('img', { name: /^you\/orchestrator is MASTER/ }));
    expect(drawing.getAllByRole('listitem', { hidden: true })[0]).toHaveTextContent('backup-199/orchestrator');
    expect(drawing.getByText('196 more: 196 in step')).toBeInTheDocument();
  });

  it('are asked for by what they need', async () => {
    await open(new FakeBackend(overview([repository(many(200))])));
    await user.click(screen.getByRole('button', { name: 'Needs you (2)' }));
    expect(rows().map((row) => row.dataset['row'])).toEqual(['mirror-3', 'mirror-5']);
    await user.click(screen.getByRole('button', { name: 'Failed (1)' }));
    expect(rows().map((row) => row.dataset['row'])).toEqual(['mirror-199']);
    expect(screen.getByRole('button', { name: 'Failed (1)' })).toHaveAttribute('aria-pressed', 'true');
    await user.click(screen.getByRole('button', { name: 'All (200)' }));
    expect(rows()).toHaveLength(50);
  });

  it('open to their cards by keys alone, and stay open while status is read anew', async () => {
    const all = many(200);
    const backend = new FakeBackend(overview([repository(all)]));
    await open(backend);
    rows()[0]?.focus();
    await user.keyboard('{ArrowDown}{ArrowDown}{ArrowUp}{Enter}');
    expect(rows()[1]).toHaveFocus();
    expect(rows()[1]).toHaveAttribute('aria-expanded', 'true');
    expect(card('mirror-3').getByRole('button', { name: 'Sync now, mirror-3' })).toBeEnabled();
    const row = rows()[1];
    all[3] = one(3);
    backend.answer = overview([repository(all)]);
    await vi.advanceTimersByTimeAsync(6000);
    // It is well now, and keeps its place while somebody stands on it.
    expect(row).toHaveFocus();
    expect(row).toHaveAttribute('aria-expanded', 'true');
    expect(card('mirror-3').getByText('In step', { selector: '.chip' })).toBeVisible();
    expect(rows()[1]).toBe(row);
    row?.blur();
    await tick();
    expect(rows()[1]?.dataset['row']).toBe('mirror-5');
    expect(rows()[2]?.dataset['row']).toBe('mirror-0');
  });

  it('do not all stir when something happens to one of them', async () => {
    const backend = new FakeBackend(overview([repository(many(200))]));
    await open(backend);
    const all = job({ mirrors: many(200).map(({ id }) => id), of_all: true });
    backend.say(started(all));
    await tick();
    const stirred = new Set<string>();
    const observer = new MutationObserver((found) => {
      for (const { target } of found) {
        const row = (target instanceof Element ? target : target.parentElement)?.closest('tr');
        stirred.add(row?.querySelector<HTMLElement>('[data-row]')?.dataset['row'] ?? target.nodeName);
      }
    });
    observer.observe(document.querySelector('table')!, {
      subtree: true,
      childList: true,
      characterData: true,
      attributes: true,
    });
    const of = { repository: 'orchestrator', mirror: 'mirror-1' };
    backend.say(
      { at_iso: ago(0), event: 'run_started', run: 'run-1', ...of, repo: 'backup-1/orchestrator', type: 'github' },
      { at_iso: ago(0), event: 'progress', ...of, aspect: 'code', phase: 'writing objects', done: 4, total: 9 },
    );
    await tick();
    await vi.waitFor(() => expect([...stirred]).toEqual(['mirror-1']));
    // Status that is the same but for one mirror draws that one alone.
    stirred.clear();
    backend.say({ at_iso: ago(0), event: 'schedule', news: 'kept', detail: '' });
    await vi.advanceTimersByTimeAsync(400);
    expect([...stirred].filter((id) => id !== 'mirror-1')).toEqual([]);
    observer.disconnect();
  });

  it('are read anew once for many events', async () => {
    const backend = new FakeBackend(overview([repository(many(200))]));
    await open(backend);
    let read = 0;
    const overviewOf = backend.overview;
    backend.overview = () => {
      read += 1;
      return overviewOf();
    };
    const ends = Array.from({ length: 100 }, (_, number) => ({
      ...started(job({ id: `job-${number}` })),
      event: 'job_ended' as const,
      job: job({ id: `job-${number}` }),
      end: { kind: 'sync' as const, synced: 1, failed: 0, blocked: 0 },
    }));
    backend.say(...ends);
    await vi.advanceTimersByTimeAsync(1000);
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThanOrEqual(2);
  });

  it('have no finding of accessibility', async () => {
    const container = await open(new FakeBackend(overview([repository([...many(13), archive({ id: 'nas' })])])));
    await user.click(rows()[0]!);
    vi.useRealTimers();
    const found = await axe.run(container, {
      rules: { 'color-contrast': { enabled: false }, 'label-content-name-mismatch': { enabled: true } },
    });
    expect(found.violations.map((violation) => `${violation.id}: ${violation.nodes[0]?.html}`)).toEqual([]);
  });
});
