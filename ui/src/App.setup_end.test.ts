// The wizard's other ends: going back, leaving, and what goes wrong when it is written and synced.

import { screen, within } from '@testing-library/svelte';
import { describe, expect, it, vi } from 'vitest';

import { failure, mirror, overview, repository } from './testing/fake';
import { atOneMoment, open, user } from './testing/page';
import { fresh } from './testing/setting_up';
import { called, press, ready, step, toReview, synced } from './testing/wizard';

atOneMoment();
// The whole way is walked in each of them.
vi.setConfig({ testTimeout: 30_000 });

describe('going back and leaving', () => {
  it('loses nothing on the way back, and begins each step at its heading', async () => {
    await toReview(fresh());
    for (const title of [
      'Who watches when no computer of yours is on?',
      'What is kept in step?',
      'Where is it to be?',
    ]) {
      await press('Back');
      await vi.waitFor(() => expect(screen.getByRole('heading', { level: 2, name: title })).toHaveFocus());
    }
    expect(screen.getByText(/in memory only, until this is set up/)).toBeVisible();
    expect(screen.getByLabelText('Repository there')).toHaveValue('backup-account/orchestrator');
    expect(await ready('Next')).toBeVisible();
  });

  it('asks before what was typed is lost, and forgets it then', async () => {
    const backend = fresh();
    await toReview(backend);
    await user.keyboard('{Escape}');
    const asks = within(screen.getByRole('dialog', { name: 'Leave the setup?' }));
    await user.click(asks.getByRole('button', { name: 'Stay' }));
    // Once at its beginning: what an earlier page left behind.
    expect(called(backend, 'setupForget')).toHaveLength(1);
    await press('Cancel');
    await press('Leave');
    expect(screen.getByRole('heading', { name: 'Nothing to keep in step yet' })).toBeVisible();
    expect(called(backend, 'setupForget')).toHaveLength(2);
    expect(called(backend, 'setUp')).toEqual([]);
  });

  it('by another way forgets, too', async () => {
    const backend = fresh();
    await toReview(backend);
    await press('Settings');
    expect(called(backend, 'setupForget')).toHaveLength(2);
  });

  it('asks nothing where nothing was typed', async () => {
    await open(fresh());
    await press('Set up a standby…');
    await user.keyboard('{Escape}');
    expect(screen.getByRole('heading', { name: 'Nothing to keep in step yet' })).toBeVisible();
  });
});

describe('trouble at the end', () => {
  it('of the file shows why, and what would be written now', async () => {
    const backend = fresh();
    const write = backend.setUp;
    backend.setUp = () => Promise.reject(failure({ code: 'raced', message: 'standin.toml was changed meanwhile' }));
    await toReview(backend);
    await press('Create the repository and set up');
    expect(await screen.findByRole('alert')).toHaveTextContent('standin.toml was changed meanwhile');
    expect(called(backend, 'mirrorDraft')).toHaveLength(2);
    backend.setUp = write;
    await user.click(await ready('Create the repository and set up'));
    await step('The first sync');
  });

  it('of the keychain offers the memory, and then goes on', async () => {
    const backend = fresh();
    const write = backend.setUp;
    const trouble = failure({
      code: 'keychain_locked',
      message: 'the token of standby is not kept: the keychain is locked',
    });
    backend.setUp = async (...values) => ({ ...(await write(...values)), troubles: [trouble] });
    await toReview(backend);
    await press('Create the repository and set up');
    expect(await screen.findByRole('alert')).toHaveTextContent('the keychain is locked');
    expect(screen.queryByRole('button', { name: 'Back' })).toBeNull();
    await press('Keep in memory until Standin quits');
    await step('The first sync');
    expect(called(backend, 'setupKeep')[0]?.[2]).toBe('session');
  });

  it('that waits for a yes asks for it, and keeps what was typed afterwards', async () => {
    const backend = fresh();
    const write = backend.setUp;
    const trouble = failure({
      code: 'consent_needed',
      message: 'the value of API_KEY is not kept: it waits for your yes',
    });
    const waiting = repository([mirror({ id: 'standby' })], {
      consent: {
        title: 'This waits for your yes:',
        hash: 'abc',
        is_change: false,
        is_denied: false,
        lines: [{ change: 'added', topic: 'writes', text: 'standby: backup-account/orchestrator' }],
        totals: [],
      },
    });
    backend.setUp = async (...values) => {
      const done = { ...(await write(...values)), troubles: [trouble] };
      backend.answer = overview([waiting]);
      return done;
    };
    await toReview(backend);
    await press('Create the repository and set up');
    await user.click(await screen.findByRole('button', { name: 'Allow this' }));
    expect(called(backend, 'consentAllow')).toEqual([['consentAllow', 'orchestrator', 'abc']]);
    await press('Keep them now');
    await step('The first sync');
    expect(called(backend, 'setupKeep')[0]?.[2]).toBe('keychain');
  });

  it('of the first sync is shown with its mend, and can be tried again', async () => {
    const backend = fresh();
    await toReview(backend);
    await press('Create the repository and set up');
    await step('The first sync');
    synced(backend, 'failed');
    expect(await screen.findByText(/The first sync did not succeed/)).toBeVisible();
    await press('Sync again');
    expect(called(backend, 'sync')).toHaveLength(2);
  });

  it('of a sync that cannot begin is shown, too', async () => {
    const backend = fresh();
    await toReview(backend);
    backend.sync = () => Promise.reject(failure({ code: 'busy', message: 'another sync holds it' }));
    await press('Create the repository and set up');
    expect(await screen.findByRole('alert')).toHaveTextContent('another sync holds it');
    expect(screen.getByRole('button', { name: 'Sync again' })).toBeVisible();
  });

  it('that needs a decision leads to it', async () => {
    const backend = fresh();
    await toReview(backend);
    await press('Create the repository and set up');
    await step('The first sync');
    synced(backend, 'blocked');
    await user.click(await screen.findByRole('button', { name: 'Decide…' }));
    expect(await screen.findByRole('dialog', { name: 'What a sync of standby would do' })).toBeVisible();
  });
});
