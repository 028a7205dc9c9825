// The way through the wizard, as a person walks it in a test.

import { screen } from '@testing-library/svelte';
import { expect, vi } from 'vitest';

import { ago, ended, failure, type FakeBackend, job, started, totals } from './fake';
import { open, user } from './page';

export const TOKEN = 'ghp_neverShownAgain';
export const called = (backend: FakeBackend, name: string) => backend.calls.filter(([what]) => what === name);
export const press = (name: string | RegExp) => user.click(screen.getByRole('button', { name }));
export const step = (name: string) => screen.findByRole('heading', { level: 2, name });
/** Puts a text into a field at once, as from the clipboard, and goes on with Enter where the text says so. */
export async function fill(label: string | RegExp, text: string): Promise<void> {
  await user.click(screen.getByLabelText(label));
  await user.paste(text.replace('{Enter}', ''));
  if (text.endsWith('{Enter}')) await user.keyboard('{Enter}');
}
export const ready = async (name: string | RegExp) => {
  const button = await screen.findByRole('button', { name });
  await vi.waitFor(() => expect(button).not.toHaveAttribute('aria-disabled'));
  return button;
};

/** From the first start to the step that asks where. */
export async function toWhere(backend: FakeBackend, kind: RegExp): Promise<HTMLElement> {
  const container = await open(backend);
  await press('Set up a standby…');
  await user.click(await screen.findByRole('radio', { name: kind }));
  await press('Next');
  await user.click(await screen.findByRole('radio', { name: /^you\/orchestrator/ }));
  await press('Look at it');
  await user.click(await ready('Next'));
  await step('Where is it to be?');
  return container;
}

/** A standby up to the review, with its token and one value typed. */
export async function toReview(backend: FakeBackend): Promise<HTMLElement> {
  const container = await toWhere(backend, /Standby on GitHub/);
  await fill('Token of the other account', `${TOKEN}{Enter}`);
  await screen.findByText(/of backup-account, in memory only/);
  await user.click(await ready('Look there'));
  await user.click(await ready('Next'));
  await step('What is kept in step?');
  await fill('API_KEY', 'value-of-it{Enter}');
  await user.click(await ready('Next'));
  await step('Who watches when no computer of yours is on?');
  await press('Next');
  await screen.findByText('+source = "you/orchestrator"');
  return container;
}

/** The first sync, from its beginning to its end. */
export function synced(backend: FakeBackend, status: 'success' | 'failed' | 'blocked'): void {
  const of = job({ id: 'job-1', mirrors: ['standby'] });
  const place = { run: 'run-1', repository: 'orchestrator', mirror: 'standby' };
  backend.say(
    started(of),
    { at_iso: ago(0), event: 'run_started', repo: 'backup-account/orchestrator', type: 'github', ...place },
    {
      at_iso: ago(0),
      event: 'run_finished',
      status,
      error: status === 'failed' ? failure({ message: 'the token may not push' }) : null,
      totals,
      ...place,
    },
    ended(of),
  );
}
