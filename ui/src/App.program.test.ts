// What is so of the whole program, above every page; and the list of repositories, as wide as somebody wants it.

import { fireEvent, screen, within } from '@testing-library/svelte';
import axe from 'axe-core';
import { describe, expect, it, vi } from 'vitest';

import { ago, failure, FakeBackend, masterHealth, mirror, overview, repository, stands } from './testing/fake';
import { atOneMoment, open, user } from './testing/page';
import { several } from './testing/several';

atOneMoment();

const pause = { since_iso: ago(60), until_iso: null, actor: 'you@desk (desktop)' };

describe('a schedule that is paused', () => {
  it('is told on every page, and resumed there', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])], { pause }));
    backend.scheduleResume = async () => {
      backend.called('scheduleResume');
      backend.answer = overview([repository([mirror()])]);
      return true;
    };
    const container = await open(backend);
    expect(screen.getByText('Paused until resumed')).toBeVisible();
    expect(container.querySelector('main')).toHaveTextContent('by you@desk (desktop)');
    await user.click(screen.getByRole('button', { name: 'Resume now' }));
    expect(backend.calls).toContainEqual(['scheduleResume']);
    await vi.waitFor(() => expect(screen.queryByText('Paused until resumed')).toBeNull());
    await vi.waitFor(() => expect(screen.getByRole('heading', { level: 1 })).toHaveFocus());
  });

  it('does not stand above a master that is down', async () => {
    const standing = stands('master_down', 'failed', 'master down');
    const report = repository([mirror()], { standing, master_health: masterHealth('ill') });
    await open(new FakeBackend(overview([report], { pause })));
    expect(screen.getByRole('region', { name: /has been down/ })).toBeVisible();
    expect(screen.queryByText('Paused until resumed')).toBeNull();
  });

  it('that cannot be resumed stays, with the reason', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])], { pause }));
    backend.scheduleResume = () => Promise.reject(failure({ message: 'the database is locked' }));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Resume now' }));
    expect(screen.getByRole('alert')).toHaveTextContent('the database is locked');
    expect(screen.getByText('Paused until resumed')).toBeVisible();
  });
});

describe('word that does not arrive', () => {
  const notify = [
    { name: 'phone', at_iso: ago(600), error: 'ntfy.sh answered 403', hint: 'Give it a token.', waiting: 1 },
  ];

  it('is told once, with the place, since when and why, and leads to the settings', async () => {
    const backend = several();
    for (const report of backend.answer.repositories) report.notify = notify;
    const container = await open(backend);
    expect(screen.getAllByText('Word does not arrive at phone')).toHaveLength(1);
    expect(container.querySelector('main')).toHaveTextContent(
      /\(last tried 10 minutes ago\): ntfy.sh answered 403\s+Give it a token. 1 message waits to be sent again./,
    );
    await user.click(screen.getByRole('button', { name: 'Show in the settings: phone' }));
    await vi.waitFor(() => expect(screen.getByRole('heading', { level: 1, name: 'Settings' })).toHaveFocus());
    expect(screen.queryByText('Word does not arrive at phone')).toBeNull();
  });

  it('has no finding of accessibility, nor has a pause', async () => {
    const backend = several();
    backend.answer.pause = pause;
    for (const report of backend.answer.repositories) report.notify = notify;
    const container = await open(backend);
    vi.useRealTimers();
    const found = await axe.run(container, { rules: { 'color-contrast': { enabled: false } } });
    expect(found.violations.map((violation) => violation.id)).toEqual([]);
  });
});

describe('the list of repositories', () => {
  const edge = () => screen.getByRole('separator', { name: 'Width of the list' });
  const width = () => document.documentElement.style.getPropertyValue('--sidebar');

  it('is widened and narrowed by keys, within its bounds, and is so the next time', async () => {
    await open(several());
    edge().focus();
    await user.keyboard('{ArrowRight}{ArrowRight}');
    expect(edge()).toHaveAttribute('aria-valuenow', '240');
    expect(width()).toBe('240px');
    await user.keyboard('{End}{ArrowRight}');
    expect(width()).toBe('320px');
    await user.keyboard('{Home}{ArrowLeft}');
    expect(width()).toBe('180px');
    expect(localStorage.getItem('standin.sidebar')).toBe('180');
    await user.dblClick(edge());
    expect(width()).toBe('');
    expect(localStorage.getItem('standin.sidebar')).toBeNull();
  });

  it('follows the pointer while its edge is held, and no longer', async () => {
    await open(several());
    const drag = (type: string, clientX: number) => fireEvent(edge(), new MouseEvent(type, { clientX, bubbles: true }));
    await drag('pointerdown', 220);
    await drag('pointermove', 260);
    expect(width()).toBe('260px');
    await drag('pointerup', 260);
    await drag('pointermove', 300);
    expect(width()).toBe('260px');
    await user.dblClick(edge());
  });

  it('leads back from the settings in a narrow window, also to a single repository', async () => {
    await open(new FakeBackend(overview([repository([mirror()])])));
    expect(screen.queryByRole('combobox', { name: 'Repository' })).toBeNull();
    await user.click(screen.getByRole('button', { name: 'Settings' }));
    const choice = screen.getByRole('combobox', { name: 'Repository' });
    expect(within(choice).getByRole('option', { name: 'Choose a repository' })).toBeDisabled();
    await user.selectOptions(choice, 'orchestrator');
    expect(screen.getByRole('heading', { level: 1 })).toHaveTextContent('orchestrator');
  });
});
