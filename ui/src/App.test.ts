import { render, screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import axe from 'axe-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import App from './App.svelte';
import type { Stamped } from './lib/bindings/Stamped';
import {
  ago,
  archive,
  codePlan,
  failure,
  FakeBackend,
  mirror,
  neverSynced,
  NOW,
  OID,
  OTHER_OID,
  overview,
  plan,
  repository,
  totals,
} from './testing/fake';

const user = userEvent.setup({ advanceTimers: (milliseconds) => vi.advanceTimersByTime(milliseconds) });

beforeEach(() => {
  vi.useFakeTimers({ shouldAdvanceTime: true, now: NOW });
});

afterEach(() => {
  vi.useRealTimers();
});

async function open(backend: FakeBackend): Promise<HTMLElement> {
  const { container } = render(App, { backend });
  await vi.waitFor(() => expect(container.querySelector('main')).toHaveAttribute('aria-busy', 'false'));
  return container;
}

function card(id: string): ReturnType<typeof within> {
  const found = document.querySelector<HTMLElement>(`[data-mirror="${id}"]`);
  if (!found) throw new Error(`no card of ${id}`);
  return within(found);
}

function row(id: string, aspect: string): HTMLElement {
  const rows = card(id).getByRole('list', { name: `What is kept in step with ${id}` });
  const found = within(rows).getByText(aspect).closest('li');
  if (!found) throw new Error(`no row ${aspect}`);
  return found;
}

/** A first sync of `mirror-1`, up to where it ends. */
function beginning(): Stamped[] {
  return [
    { at_iso: ago(0), event: 'sync_started', repository: 'orchestrator', mirrors: ['mirror-1'] },
    {
      at_iso: ago(0),
      event: 'run_started',
      run: 'run-9',
      repository: 'orchestrator',
      mirror: 'mirror-1',
      repo: 'backup-account/orchestrator',
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

function ending(): Stamped[] {
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
    { at_iso: ago(-4), event: 'sync_finished', repository: 'orchestrator', synced: 1, failed: 0, blocked: 0 },
  ];
}

describe('the card', () => {
  it('shows who is master, the role, and each aspect with its state in words, time and figures', async () => {
    await open(new FakeBackend(overview([repository([mirror(), archive()])])));
    expect(screen.getByRole('img', { name: /^you\/orchestrator is MASTER\. Data flows from it to / })).toBeVisible();
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
    expect(screen.getByText(/Open change on mirror-1 by you@desk: Actions are switched off/)).toBeVisible();
  });

  it('lets times grow as they pass', async () => {
    await open(new FakeBackend(overview([repository([mirror()])])));
    expect(row('mirror-1', 'Code')).toHaveTextContent('2 minutes ago');
    await vi.advanceTimersByTimeAsync(65_000);
    expect(row('mirror-1', 'Code')).toHaveTextContent('3 minutes ago');
  });
});

describe('a sync', () => {
  it('shows its output live, then "Synced" for three seconds, then the new time', async () => {
    const backend = new FakeBackend(overview([repository([neverSynced()])]));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Sync mirror-1 now' }));
    expect(backend.calls).toContainEqual(['sync', { repository: 'orchestrator', mirrors: ['mirror-1'], yes: false }]);
    backend.say(...beginning());
    const log = await screen.findByRole('log', { name: 'Lines of mirror-1' });
    expect(log).toHaveTextContent('Code push…');
    expect(log).toHaveTextContent('Created branch main');
    expect(screen.getAllByRole('progressbar', { name: 'Code: writing objects' }).length).toBeGreaterThan(0);
    expect(screen.getByRole('button', { name: 'Cancel the sync of mirror-1' })).toBeEnabled();

    backend.answer = overview([repository([mirror({ code: { ...mirror().code, last_sync_iso: ago(-4) } })])]);
    backend.say(...ending());
    backend.endJob('job-1', ['mirror-1']);
    expect(await card('mirror-1').findByText('Synced')).toBeVisible();
    await vi.advanceTimersByTimeAsync(2900);
    expect(card('mirror-1').getByText('Synced')).toBeVisible();
    await vi.advanceTimersByTimeAsync(200);
    expect(card('mirror-1').queryByText('Synced')).toBeNull();
    expect(row('mirror-1', 'Code')).toHaveTextContent('just now');
    expect(log).toHaveTextContent('Done in 4.0 s');

    await user.click(screen.getByRole('button', { name: 'Dismiss' }));
    expect(screen.queryByRole('log')).toBeNull();
  });

  it('can be cancelled', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Sync mirror-1 now' }));
    await user.click(await screen.findByRole('button', { name: 'Cancel the sync of mirror-1' }));
    expect(backend.calls).toContainEqual(['cancel', 'job-1']);
    backend.endJob('job-1', ['mirror-1']);
    expect(await screen.findByRole('button', { name: 'Sync mirror-1 now' })).toBeEnabled();
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
    await user.click(screen.getByRole('button', { name: 'Sync mirror-1 now' }));
    const alert = await screen.findByRole('alert');
    expect(alert).toHaveTextContent('mirror-1 is held by you@other');
    expect(alert).toHaveTextContent('What to do: Wait.');
    await user.click(within(alert).getByRole('button', { name: 'Dismiss this message' }));
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('that could not begin shows its error in the output', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Sync mirror-1 now' }));
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
    const log = await screen.findByRole('log');
    expect(log).toHaveTextContent('backup-account/orchestrator could not be reached');
    expect(log).toHaveTextContent('Check the connection and sync again.');
  });

  it('says whom it waits for while another process holds the mirror, and can be cancelled meanwhile', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Sync mirror-1 now' }));
    const [started, begun] = beginning();
    backend.say(started!, {
      at_iso: ago(0),
      event: 'run_waiting',
      repository: 'orchestrator',
      mirror: 'mirror-1',
      holder: 'you@desk pid 42, since 2026-02-07T18:00:00Z',
    });
    const log = await screen.findByRole('log', { name: 'Lines of mirror-1' });
    expect(log).toHaveTextContent('Waiting for you@desk pid 42');
    expect(card('mirror-1').getByText('Waiting')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Cancel the sync of mirror-1' }));
    expect(backend.calls).toContainEqual(['cancel', 'job-1']);

    backend.say(begun!);
    expect(await card('mirror-1').findByText('Syncing')).toBeVisible();
    expect(card('mirror-1').queryByText('Waiting')).toBeNull();
  });

  it('of another repository whose mirror has the same name does not mix with it', async () => {
    const other = repository([mirror({ repo: 'backup-account/website' })], { repository: 'website' });
    const backend = new FakeBackend(overview([repository([mirror()]), other]));
    await open(backend);
    const started = (name: string): Stamped => ({
      at_iso: ago(0),
      event: 'sync_started',
      repository: name,
      mirrors: ['mirror-1'],
    });
    backend.say(
      started('orchestrator'),
      started('website'),
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
    const log = await screen.findByRole('log', { name: 'Lines of mirror-1' });
    expect(log).toHaveTextContent('The source is big');
    expect(log).not.toHaveTextContent('website');
    expect(screen.queryByRole('progressbar')).toBeNull();
    expect(screen.getByText('Live output')).toBeVisible();

    await user.click(screen.getByRole('button', { name: /website/ }));
    const theirs = await screen.findByRole('log', { name: 'Lines of mirror-1' });
    expect(theirs).toHaveTextContent('The token of website ends soon');
    expect(theirs).toHaveTextContent('website could not be reached');
    expect(theirs).not.toHaveTextContent('The source is big');
  });

  it('that another process runs cannot be started or cancelled here', async () => {
    await open(new FakeBackend(overview([repository([mirror({ status: 'syncing' })])])));
    expect(card('mirror-1').getByText('Syncing elsewhere')).toBeVisible();
    expect(screen.getByRole('button', { name: 'Sync mirror-1 now' })).toBeDisabled();
  });
});

describe('the preview', () => {
  it('says that nothing would change', async () => {
    await open(new FakeBackend(overview([repository([mirror()])])));
    await user.click(screen.getByRole('button', { name: 'Preview a sync of mirror-1' }));
    const dialog = await screen.findByRole('dialog', { name: 'Preview of mirror-1' });
    expect(await within(dialog).findByText(/Everything is in step/)).toBeVisible();
  });

  it('says which refs cannot be made, what is in their way, and what to do', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    const conflicts = [
      { name: 'refs/heads/topic/one', source_tip: OID, in_the_way: ['refs/heads/topic'] },
      { name: 'refs/tags/v1', source_tip: OID, in_the_way: ['refs/tags/v1/a', 'refs/tags/v1/b'] },
    ];
    const refs = { changes: [], diverged: [], left_alone: [], conflicts, unchanged: 4 };
    backend.plans = [plan({ code: { ready: codePlan({ refs }) } })];
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Preview a sync of mirror-1' }));
    const dialog = within(await screen.findByRole('dialog'));
    expect(
      await dialog.findByText(/Cannot create branch topic\/one: branch topic on the mirror is in its way/),
    ).toBeVisible();
    expect(dialog.getByText(/standin resolve mirror-1 refs\/heads\/topic overwrite/)).toBeVisible();
    expect(dialog.getByText(/Cannot create tag v1: tag v1\/a, tag v1\/b on the mirror are in its way/)).toBeVisible();
    expect(dialog.getByText(/A sync would make 0 changes; 2 refs cannot be made/)).toBeVisible();
    expect(dialog.queryByText(/Everything is in step/)).toBeNull();
  });

  it('asks for every guard and new secret name before it syncs with a yes', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    backend.plans = [
      plan({
        code: {
          ready: codePlan({ guard: [{ reason: 'many_refs', affected: 12, total: 20 }, { reason: 'source_empty' }] }),
        },
        secrets: { ready: { names: [['DATABASE_PASSWORD', 'needs_yes']], notices: [] } },
      }),
    ];
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Preview a sync of mirror-1' }));
    const dialog = within(await screen.findByRole('dialog'));
    expect(await dialog.findByText('DATABASE_PASSWORD')).toBeVisible();
    const confirm = dialog.getByRole('button', { name: 'Confirm and sync' });
    for (const box of dialog.getAllByRole('checkbox')) {
      expect(confirm).toBeDisabled();
      await user.click(box);
    }
    expect(dialog.getAllByRole('checkbox')).toHaveLength(3);
    await user.click(confirm);
    expect(backend.calls).toContainEqual(['sync', { repository: 'orchestrator', mirrors: ['mirror-1'], yes: true }]);
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  it('can sync the rest without what is to be confirmed', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    backend.plans = [plan({ code: { ready: codePlan({ guard: [{ reason: 'private_to_public' }] }) } })];
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Preview a sync of mirror-1' }));
    await user.click(await screen.findByRole('button', { name: 'Sync without these' }));
    expect(backend.calls).toContainEqual(['sync', { repository: 'orchestrator', mirrors: ['mirror-1'], yes: false }]);
  });

  it('offers overwrite, take and leave for a diverged ref, each explained', async () => {
    const blocked = mirror({
      status: 'blocked',
      code: { status: 'blocked', last_sync_iso: ago(60), error: 'branch main has diverged', hint: 'Decide.' },
    });
    const backend = new FakeBackend(overview([repository([blocked])]));
    const refs = { changes: [], left_alone: [], conflicts: [], unchanged: 0 };
    const diverged = {
      name: 'refs/heads/main',
      mirror_tip: OTHER_OID,
      source_tip: OID,
      ahead: 1,
      behind: 2,
      decision: null,
    };
    backend.plans = [plan({ code: { ready: codePlan({ refs: { ...refs, diverged: [diverged] } }) } })];
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Decide…' }));
    const decision = within(await screen.findByRole('group', { name: 'Decision for branch main' }));
    expect(decision.getByRole('button', { name: 'Overwrite branch main' })).toHaveAccessibleDescription(
      /rescued first/,
    );
    expect(decision.getByRole('button', { name: 'Take branch main' })).toHaveAccessibleDescription(
      /branch rescue\/mirror-1\/main/,
    );
    await user.click(decision.getByRole('button', { name: 'Leave branch main' }));
    expect(backend.calls).toContainEqual(['resolve', 'orchestrator', 'mirror-1', 'refs/heads/main', 'leave']);
    expect(await screen.findByText('Decided; the next sync does it.')).toBeVisible();
    expect(backend.calls.filter(([name]) => name === 'plan')).toHaveLength(2);
  });
});

describe('the configuration', () => {
  it('that names nothing is met with exactly what to write', async () => {
    const backend = new FakeBackend(overview([]));
    await open(backend);
    expect(screen.getByRole('heading', { name: 'Nothing to keep in step yet' })).toBeVisible();
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
    expect(screen.getByText('MIRROR_1_TYPE is `githup`')).toBeVisible();
    expect(screen.getByText(/Use github or git\./)).toBeVisible();
    expect(screen.getByText('MIRROR_2_REPO is missing')).toBeVisible();
    expect(screen.getByRole('button', { name: 'Reload' })).toBeEnabled();
  });
});

describe('activity', () => {
  it('lists the runs, and opens one to its changes', async () => {
    await open(new FakeBackend(overview([repository([mirror()])])));
    await user.click(screen.getByRole('tab', { name: 'Activity' }));
    const first = (await screen.findAllByRole('button', { expanded: false }))[0]!;
    expect(first).toHaveTextContent('5.0 s');
    await user.click(first);
    const changes = within(await screen.findByRole('list', { name: 'Changes of this run' }));
    expect(changes.getByText(/Advanced branch main/)).toBeVisible();
    expect(changes.getByText(/Updated secret RESEND_API_KEY/)).toBeVisible();
  });

  it('restores a rescued tip', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    await user.click(screen.getByRole('tab', { name: 'Activity' }));
    await user.click(screen.getByRole('button', { name: 'Rescues' }));
    await user.click(await screen.findByRole('button', { name: 'Restore branch topic of mirror-1' }));
    expect(backend.calls).toContainEqual(['rescueRestore', 'r1']);
    expect(await screen.findByText('Restored branch topic on mirror-1.')).toBeVisible();
  });

  it('is reached with the arrow keys', async () => {
    await open(new FakeBackend(overview([repository([mirror()])])));
    screen.getByRole('tab', { name: 'Repo Mirrors' }).focus();
    await user.keyboard('{ArrowRight}');
    expect(screen.getByRole('tab', { name: 'Activity' })).toHaveFocus();
    expect(screen.getByRole('tab', { name: 'Activity' })).toHaveAttribute('aria-selected', 'true');
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

  it('are kept in memory only when the user says so', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    const kept: unknown[] = [];
    backend.tokenSet = async (_repository, _mirror, _token, keep) => {
      if (keep === 'keychain') {
        throw failure({
          code: 'keychain_unavailable',
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
  });

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
  const rules = { rules: { 'color-contrast': { enabled: false } } };

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
