import { screen, within } from '@testing-library/svelte';
import { describe, expect, it } from 'vitest';

import { ago, codePlan, FakeBackend, mirror, OID, OTHER_OID, overview, plan, repository } from './testing/fake';
import { atOneMoment, open, user } from './testing/page';

atOneMoment();

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
        secrets: {
          ready: { names: [['DATABASE_PASSWORD', 'needs_yes']], notices: [], sources: { DATABASE_PASSWORD: 'vault' } },
        },
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

  it('shows what a repository is that may be the wrong one, and offers no sync without the yes', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    const known = { default_branch: 'main', branches: 3, tags: 0, workflows: 2, last_push_iso: '2026-02-07T18:01:07Z' };
    backend.plans = [plan({ guard: [{ reason: 'first_contact', owner: 'somebody', ...known }] })];
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Preview a sync of mirror-1' }));
    const dialog = within(await screen.findByRole('dialog'));
    const question = await dialog.findByRole('checkbox', { name: /repository of somebody shares no commit/ });
    expect(question).toHaveAccessibleName(/default branch main, 3 branches, 2 workflows, last push 2026-02-07/);
    expect(dialog.queryByRole('button', { name: 'Sync without these' })).toBeNull();
    const confirm = dialog.getByRole('button', { name: 'Confirm and sync' });
    expect(confirm).toBeDisabled();
    await user.click(question);
    await user.click(confirm);
    expect(backend.calls).toContainEqual(['sync', { repository: 'orchestrator', mirrors: ['mirror-1'], yes: true }]);
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
