import { screen, within } from '@testing-library/svelte';
import axe from 'axe-core';
import { describe, expect, it, vi } from 'vitest';

import type { ConsentQuestion } from './lib/bindings/ConsentQuestion';
import { FakeBackend, failure, mirror, overview, repository } from './testing/fake';
import { atOneMoment, open, card, user } from './testing/page';

atOneMoment();

const question: ConsentQuestion = {
  title: '/home/me/app/.env asks for this, and waits for your yes:',
  file: '/home/me/app/.env',
  hash: '0123456789abcdef0123456789abcdef',
  is_change: false,
  is_denied: false,
  lines: [
    { change: 'added', topic: 'reads', text: 'me/app, where this clone came from' },
    { change: 'added', topic: 'writes', text: 'mirror-1: backup/app: code, secrets' },
    { change: 'added', topic: 'runs', text: 'gh, git; nothing that came with the clone' },
  ],
  totals: [],
};

const waiting = (over: Partial<ConsentQuestion> = {}) =>
  new FakeBackend(overview([repository([mirror()], { consent: { ...question, ...over } })]));

const banner = () => within(screen.getByRole('region', { name: /waits for your yes|You denied/ }));

describe('what a .env asks for', () => {
  it('shows each line, and lets nothing be started before the yes', async () => {
    const container = await open(waiting());
    const lines = banner().getAllByRole('listitem');
    expect(lines.map((line) => line.textContent?.replace(/\s+/g, ' ').trim())).toEqual([
      'reads me/app, where this clone came from',
      'writes mirror-1: backup/app: code, secrets',
      'runs gh, git; nothing that came with the clone',
    ]);
    expect(screen.getByRole('button', { name: 'Sync All Now' })).toBeDisabled();
    expect(screen.getByRole('button', { name: 'Check health' })).toBeDisabled();
    expect(card('mirror-1').getByRole('button', { name: 'Sync now, mirror-1' })).toBeDisabled();
    expect(card('mirror-1').getByRole('button', { name: 'Preview a sync of mirror-1' })).toBeDisabled();
    const found = await axe.run(container, { rules: { 'color-contrast': { enabled: false } } });
    expect(found.violations.map((violation) => violation.id)).toEqual([]);
  });

  it('says yes to what was shown, and then goes on', async () => {
    const backend = waiting();
    await open(backend);
    backend.answer = overview([repository([mirror()])]);
    await user.click(banner().getByRole('button', { name: 'Allow this' }));
    expect(backend.calls).toContainEqual(['consentAllow', 'orchestrator', question.hash]);
    expect(screen.queryByRole('region', { name: /waits for your yes/ })).toBeNull();
    expect(screen.getByRole('button', { name: 'Sync All Now' })).toBeEnabled();
  });

  it('says no, and does not offer it twice', async () => {
    const backend = waiting();
    await open(backend);
    const title = 'You denied what /home/me/app/.env asks for, so nothing of it is done:';
    backend.answer = overview([repository([mirror()], { consent: { ...question, is_denied: true, title } })]);
    await user.click(banner().getByRole('button', { name: 'Deny' }));
    expect(backend.calls).toContainEqual(['consentDeny', 'orchestrator']);
    expect(banner().queryByRole('button', { name: 'Deny' })).toBeNull();
    await vi.waitFor(() => expect(banner().getByRole('button', { name: 'Allow this' })).toBeEnabled());
  });

  it('says what a long question comes to, where it is answered', async () => {
    await open(waiting({ totals: ['in all: 300 names travel'] }));
    const total = banner().getByText('in all: 300 names travel');
    const allow = banner().getByRole('button', { name: 'Allow this' });
    expect(total.compareDocumentPosition(allow) & Node.DOCUMENT_POSITION_FOLLOWING).toBeTruthy();
  });

  it('shows a change as what came and what went', async () => {
    await open(
      waiting({
        is_change: true,
        lines: [
          { change: 'removed', topic: 'writes', text: 'mirror-1: backup/app' },
          { change: 'added', topic: 'writes', text: 'mirror-1: stranger/app' },
        ],
      }),
    );
    const lines = banner().getAllByRole('listitem');
    expect(lines[0]).toHaveTextContent('no longer: writes mirror-1: backup/app');
    expect(lines[1]).toHaveTextContent('new: writes mirror-1: stranger/app');
  });

  it('tells where something else waits by now', async () => {
    const backend = waiting();
    backend.consentAllow = () =>
      Promise.reject(failure({ message: 'what is asked for has changed since it was shown' }));
    await open(backend);
    await user.click(banner().getByRole('button', { name: 'Allow this' }));
    expect(screen.getByRole('alert')).toHaveTextContent('what is asked for has changed');
  });
});
