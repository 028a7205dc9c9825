import { screen, within } from '@testing-library/svelte';
import axe from 'axe-core';
import { describe, expect, it, vi } from 'vitest';

import type { AspectReport } from './lib/bindings/AspectReport';
import { ago, archive, failure, FakeBackend, mirror, neverSynced, overview, repository, stands } from './testing/fake';
import { atOneMoment, open, card, row, beginning, ending, user } from './testing/page';

atOneMoment();

describe('the card', () => {
  it('shows who is master, the role, and each aspect with its state in words, time and figures', async () => {
    await open(new FakeBackend(overview([repository([mirror(), archive()])])));
    expect(
      screen.getByRole('img', { name: /^you\/orchestrator is MASTER, Not looked at yet\. Data flows from it to / }),
    ).toBeVisible();
    expect(row('mirror-1', 'Code')).toHaveTextContent('In step');
    expect(row('mirror-1', 'Code')).toHaveTextContent('commit 093f7683e987');
    expect(row('mirror-1', 'Code')).toHaveTextContent('0 commits behind');
    expect(row('mirror-1', 'Code')).toHaveTextContent('2 minutes ago');
    expect(row('mirror-1', 'Secrets')).toHaveTextContent('5/5');
    expect(row('mirror-1', 'Variables')).toHaveTextContent('3/3');
    expect(row('mirror-1', 'Workflows')).toHaveTextContent('1 active, 3 held');
    expect(card('mirror-1').getByText('SLAVE')).toBeVisible();
    expect(card('mirror-2').queryByText('SLAVE')).toBeNull();
    expect(card('mirror-2').getByText('Not kept in step: secrets, variables, workflows')).toBeVisible();
  });

  it('shows a mirror that was never synced', async () => {
    await open(new FakeBackend(overview([repository([neverSynced()], { last_full_sync_iso: null, epoch: null })])));
    for (const aspect of ['Code', 'Secrets', 'Variables', 'Workflows']) {
      expect(row('mirror-1', aspect)).toHaveTextContent('Never synced');
    }
    expect(screen.getByText('Never all in step')).toBeVisible();
  });

  it('offers what there is to do as a button, and names the command of what it cannot do itself', async () => {
    const error = (over: object) => ({ ...failure({ code: 'unauthorized', hint: 'Make a new one.' }), ...over });
    const token = {
      verb: 'set_token' as const,
      mirror: 'mirror-1',
      label: 'Store the token',
      command: 'standin token set mirror-1',
    };
    const test = { verb: 'test' as const, mirror: 'two', label: 'Try it', command: 'standin mirror test two' };
    const one = mirror({ status: 'failed', error: error({ action: token }) });
    const two = mirror({ id: 'two', status: 'failed', error: error({ action: test }) });
    await open(new FakeBackend(overview([repository([one, two])])));
    expect(card('two').getByText('standin mirror test two')).toBeVisible();
    expect(card('two').queryByRole('button', { name: 'Try it' })).toBeNull();
    expect(card('mirror-1').queryByText('standin token set mirror-1')).toBeNull();
    await user.click(card('mirror-1').getByRole('button', { name: 'Store the token' }));
    expect(screen.getByRole('tab', { name: 'Tokens' })).toHaveAttribute('aria-selected', 'true');
  });

  it('shows an error in full with what to do', async () => {
    const secrets = {
      status: 'failed' as const,
      last_sync_iso: ago(60),
      error: 'RESEND_API_KEY could not be set: HTTP 403',
      hint: 'Give the token the permission Secrets (write).',
      synced_count: 4,
      total: 5,
    };
    await open(new FakeBackend(overview([repository([mirror({ status: 'failed', secrets })])])));
    const found = row('mirror-1', 'Secrets');
    expect(found).toHaveTextContent('Failed');
    expect(found).toHaveTextContent('4/5');
    expect(found).toHaveTextContent('RESEND_API_KEY could not be set: HTTP 403');
    expect(found).toHaveTextContent('What to do: Give the token the permission Secrets (write).');
  });

  it('says that a change stands open, and who began it', async () => {
    const open_change = {
      kind: 'actions_off',
      mirror: 'mirror-1',
      writer: 'you@desk',
      since_iso: ago(400),
      detail: 'Actions are switched off around a push.',
    };
    await open(new FakeBackend(overview([repository([mirror()], { open_change })])));
    const told = within(screen.getByRole('region', { name: 'A change of mirror-1 is open' }));
    expect(told.getByText(/begun by you@desk/)).toBeVisible();
    expect(told.getByText('Actions are switched off around a push.')).toBeVisible();
    expect(told.getByRole('button', { name: 'Sync mirror-1 now' })).toBeEnabled();
  });

  it('says nothing of Actions that are off around the push of a sync that goes on', async () => {
    const open_change = {
      kind: 'actions_off',
      mirror: 'mirror-1',
      writer: 'you@desk',
      since_iso: ago(4),
      detail: 'Off.',
    };
    await open(new FakeBackend(overview([repository([mirror({ status: 'syncing' })], { open_change })])));
    expect(screen.queryByText(/A change of/)).toBeNull();
  });

  it('says of a change of master how to go on with it, and nothing else', async () => {
    const open_change = {
      kind: 'role_change',
      mirror: 'mirror-1',
      writer: 'you@desk',
      since_iso: ago(400),
      detail: 'A role change is open. `standin promote mirror-1 --resume` goes on with it.',
    };
    await open(new FakeBackend(overview([repository([mirror()], { open_change })])));
    expect(screen.getByRole('button', { name: 'Go on' })).toBeEnabled();
    expect(screen.getByRole('button', { name: 'Take back' })).toBeEnabled();
    expect(screen.queryByText(/standin promote/)).toBeNull();
    expect(screen.queryByText(/next sync or health check/)).toBeNull();
  });

  it('shows a standby that stands in as master, and the source that waits, without offering to sync them', async () => {
    const standing = stands('stands_in', 'waiting', 'stands in');
    const waiting = stands('waits_for_hand_back', 'waiting', 'waits for the hand-back');
    const standIn = mirror({ role: 'TEMPORARY_MASTER', status: 'idle', standing });
    const source = mirror({ id: 'source', repo: 'you/orchestrator', status: 'idle', standing: waiting });
    const report = repository([standIn, source], { self_role: 'SLAVE', master: standIn.repo, epoch: 2 });
    await open(new FakeBackend(overview([report])));
    const drawing = screen.getByRole('img', { name: /is TEMPORARY_MASTER/ });
    expect(within(drawing).getAllByText('you/orchestrator')).toHaveLength(1);
    expect(drawing).toHaveAccessibleName(
      /Data flows from it to nowhere\. Nothing flows to you\/orchestrator \(waits for the hand-back\)\.$/,
    );
    expect(card('mirror-1').getByText('Stands in')).toBeVisible();
    expect(card('source').getByText(/brings home what was done meanwhile/)).toHaveTextContent(
      'standin demote mirror-1',
    );
    for (const one of ['mirror-1', 'source'].map(card)) {
      expect(one.queryByRole('button', { name: /Sync|Preview/ })).toBeNull();
      expect(one.queryByText('Never synced')).toBeNull();
    }
  });

  it('says once that the master could not be read, and calls no standby failed for it', async () => {
    const of = (report: AspectReport): AspectReport => ({
      ...report,
      status: 'failed',
      last_try_iso: ago(5),
      at_source: true,
      error: 'github.com answered 503',
      hint: 'Wait.',
    });
    const one = mirror();
    const report = repository([mirror({ status: 'failed', code: of(one.code), variables: of(one.variables) })], {
      standing: stands('master_down', 'failed', 'master down'),
    });
    await open(new FakeBackend(overview([report])));
    expect(screen.getAllByText(/Not compared: github.com answered 503/)).toHaveLength(1);
    expect(row('mirror-1', 'Code')).toHaveTextContent('Not compared');
    expect(row('mirror-1', 'Code')).toHaveTextContent('2 minutes ago');
    expect(card('mirror-1').getAllByText('In step').length).toBeGreaterThan(0);
    expect(card('mirror-1').queryByText('Failed')).toBeNull();
    expect(within(screen.getByRole('navigation', { name: 'Repositories' })).getByText('Master down')).toBeVisible();
  });

  it('lets times grow as they pass', async () => {
    await open(new FakeBackend(overview([repository([mirror()])])));
    expect(row('mirror-1', 'Code')).toHaveTextContent('2 minutes ago');
    await vi.advanceTimersByTimeAsync(65_000);
    expect(row('mirror-1', 'Code')).toHaveTextContent('3 minutes ago');
  });
});

describe('the configuration', () => {
  it('that names nothing is met with a button, and with exactly what to write for who asks', async () => {
    const backend = new FakeBackend(overview([]));
    await open(backend);
    expect(screen.getByRole('heading', { name: 'Nothing to keep in step yet' })).toBeVisible();
    expect(screen.getByRole('button', { name: 'Set up a standby…' })).toBeVisible();
    expect(screen.getByText(/MIRROR_1_TYPE=github/)).not.toBeVisible();
    await user.click(screen.getByRole('button', { name: 'I configure by file' }));
    expect(screen.getByText('/home/you/orchestrator/.env')).toBeVisible();
    expect(screen.getByText(/MIRROR_1_TYPE=github/)).toBeVisible();
    backend.answer = overview([repository([mirror()])]);
    await user.click(screen.getByRole('button', { name: 'Reload' }));
    expect(await screen.findByRole('heading', { name: 'backup-account/orchestrator' })).toBeVisible();
  });

  it('with mistakes shows each of them with its mend', async () => {
    const mistakes = [
      failure({ code: 'configuration', message: 'MIRROR_1_TYPE is `githup`', hint: 'Use github or git.' }),
      failure({ code: 'configuration', message: 'MIRROR_2_REPO is missing', hint: 'Write it.' }),
    ];
    const backend = new FakeBackend(overview([], { mistakes }));
    await open(backend);
    expect(screen.getByRole('heading', { name: 'The configuration has 2 mistakes' })).toBeVisible();
    expect(screen.getByText('githup', { selector: 'code' })).toBeVisible();
    expect(screen.getByText(/Use github or git\./)).toBeVisible();
    expect(screen.getByText('MIRROR_2_REPO is missing')).toBeVisible();
    expect(screen.getByRole('button', { name: 'Reload' })).toBeEnabled();
  });
});

describe('tokens', () => {
  const secret = 'ghp_typed_by_the_user';

  async function type(backend: FakeBackend): Promise<void> {
    await open(backend);
    await user.click(screen.getByRole('tab', { name: 'Tokens' }));
    await user.click(await screen.findByRole('button', { name: 'Set the token of mirror-1' }));
    await user.type(screen.getByLabelText('Token for backup-account/orchestrator'), secret);
    await user.click(screen.getByRole('button', { name: 'Store in keychain' }));
  }

  it('go into the command and leave nothing in the page', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await type(backend);
    expect(backend.calls).toContainEqual(['tokenSet', 'orchestrator', 'mirror-1', secret, 'keychain']);
    expect(await screen.findByText('Stored in the keychain.')).toBeVisible();
    expect(document.querySelector('input')).toBeNull();
    expect(document.documentElement.outerHTML).not.toContain(secret);
  });

  it.each(['keychain_unavailable', 'keychain_locked', 'keychain_failed', 'timed_out'] as const)(
    'are kept in memory only when the user says so (%s)',
    async (code) => {
      const backend = new FakeBackend(overview([repository([mirror()])]));
      const kept: unknown[] = [];
      backend.tokenSet = async (_repository, _mirror, _token, keep) => {
        if (keep === 'keychain') {
          throw failure({
            code,
            message: 'the keychain cannot be used',
            hint: 'Use MIRROR_1_TOKEN.',
          });
        }
        kept.push(keep);
      };
      await type(backend);
      expect(await screen.findByText('the keychain cannot be used')).toBeVisible();
      expect(screen.getByText(/Use MIRROR_1_TOKEN/)).toBeVisible();
      expect(kept).toEqual([]);
      await user.click(screen.getByRole('button', { name: 'Keep in memory until Standin quits' }));
      expect(kept).toEqual(['session']);
    },
  );

  it('that do not work say why', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    backend.tokenCheck = () =>
      Promise.reject(
        failure({ code: 'unauthorized', message: 'the token is not accepted (401)', hint: 'Make a new one.' }),
      );
    await open(backend);
    await user.click(screen.getByRole('tab', { name: 'Tokens' }));
    expect((await screen.findAllByText('the token is not accepted (401)')).length).toBe(2);
  });
});

describe('accessibility', () => {
  const rules = {
    rules: { 'color-contrast': { enabled: false }, 'label-content-name-mismatch': { enabled: true } },
  };

  it.each([
    ['the card', async () => {}],
    ['the preview', async () => user.click(screen.getByRole('button', { name: 'Preview a sync of mirror-1' }))],
    ['activity', async () => user.click(screen.getByRole('tab', { name: 'Activity' }))],
    ['tokens', async () => user.click(screen.getByRole('tab', { name: 'Tokens' }))],
  ])('of %s has no finding', async (_name, go) => {
    const container = await open(new FakeBackend(overview([repository([mirror(), archive()])])));
    await go();
    await vi.advanceTimersByTimeAsync(100);
    vi.useRealTimers();
    const found = await axe.run(container, rules);
    expect(found.violations.map((violation) => `${violation.id}: ${violation.nodes[0]?.html}`)).toEqual([]);
  });

  it('tells who cannot see the page when a sync begins and ends', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    const container = await open(backend);
    const spoken = container.querySelector('[aria-live="polite"]');
    backend.say(...beginning());
    await vi.waitFor(() => expect(spoken).toHaveTextContent('Syncing mirror-1'));
    backend.say(...ending());
    await vi.waitFor(() => expect(spoken).toHaveTextContent('mirror-1 synced'));
  });
});
