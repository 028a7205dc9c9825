/** The page in a test: opened on a backend of its own, with the clock in the test's hands. */

import { render, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, expect, vi } from 'vitest';

import App from '../App.svelte';
import type { Stamped } from '../lib/bindings/Stamped';
import { ago, ended, FakeBackend, job, NOW, OID, started, totals } from './fake';

export const user = userEvent.setup({ advanceTimers: (milliseconds) => vi.advanceTimersByTime(milliseconds) });

/** Every test of the file begins at the same moment. */
export function atOneMoment(): void {
  beforeEach(() => {
    vi.useFakeTimers({ shouldAdvanceTime: true, now: NOW });
  });

  afterEach(() => {
    vi.useRealTimers();
    window.localStorage.clear();
  });
}

export async function open(backend: FakeBackend): Promise<HTMLElement> {
  const { container } = render(App, { backend });
  await vi.waitFor(() => expect(container.querySelector('main')).toHaveAttribute('aria-busy', 'false'));
  return container;
}

export function card(id: string): ReturnType<typeof within> {
  const found = document.querySelector<HTMLElement>(`article[data-mirror="${id}"]`);
  if (!found) throw new Error(`no card of ${id}`);
  return within(found);
}

export function row(id: string, aspect: string): HTMLElement {
  const rows = card(id).getByRole('list', { name: `What is kept in step with ${id}` });
  const found = within(rows).getByText(aspect).closest('li');
  if (!found) throw new Error(`no row ${aspect}`);
  return found;
}

/** The lines of a sync of a mirror, unfolded if they are not. */
export async function lines(id: string): Promise<HTMLElement> {
  const toggle = await card(id).findByRole('button', { name: /^(Show|Hide) output/ });
  if (toggle.getAttribute('aria-expanded') === 'false') await user.click(toggle);
  return card(id).findByRole('log', { name: `Lines of ${id}` });
}

/** A first sync of `mirror-1`, up to where it ends. */
export function beginning(): Stamped[] {
  return [
    started(job()),
    {
      at_iso: ago(0),
      event: 'run_started',
      run: 'run-9',
      repository: 'orchestrator',
      mirror: 'mirror-1',
      repo: 'backup-account/orchestrator',
      type: 'github',
    },
    {
      at_iso: ago(0),
      event: 'aspect_started',
      run: 'run-9',
      repository: 'orchestrator',
      mirror: 'mirror-1',
      aspect: 'code',
    },
    {
      at_iso: ago(0),
      event: 'progress',
      repository: 'orchestrator',
      mirror: 'mirror-1',
      aspect: 'code',
      phase: 'writing objects',
      done: 3,
      total: 9,
    },
    {
      at_iso: ago(0),
      event: 'change',
      run: 'run-9',
      repository: 'orchestrator',
      mirror: 'mirror-1',
      change: { aspect: 'code', action: 'create', name: 'refs/heads/main', after: OID },
      outcome: { outcome: 'done' },
    },
  ];
}

export function ending(): Stamped[] {
  return [
    {
      at_iso: ago(-4),
      event: 'aspect_finished',
      run: 'run-9',
      repository: 'orchestrator',
      mirror: 'mirror-1',
      aspect: 'code',
      report: { status: 'ok', last_sync_iso: ago(-4), detail: OID.slice(0, 12), last_commit: OID, behind: 0 },
    },
    {
      at_iso: ago(-4),
      event: 'run_finished',
      run: 'run-9',
      repository: 'orchestrator',
      mirror: 'mirror-1',
      status: 'success',
      error: null,
      totals,
    },
    ended(job()),
  ];
}
