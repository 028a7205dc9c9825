import { screen, within } from '@testing-library/svelte';
import axe from 'axe-core';
import { describe, expect, it, vi } from 'vitest';

import type { Overview } from './lib/bindings/Overview';
import { FakeBackend, failure, mirror, overview, repository } from './testing/fake';
import { atOneMoment, open, user } from './testing/page';
import { many, several } from './testing/several';

atOneMoment();

const places = () => within(screen.getByRole('navigation', { name: 'Repositories' })).getAllByRole('button');
const title = () => screen.getByRole('heading', { level: 1 });

describe('the overview', () => {
  it('comes first where there are several, the worst first, each with its state in words', async () => {
    const container = await open(several());
    expect(title()).toHaveTextContent('Overview');
    expect(places().map((place) => place.textContent?.replace(/\s+/g, ' ').trim())).toEqual([
      'Overview 2 of 3 need you',
      'orchestrator ada Failed',
      'site ada Waits for your decision',
      'blog ada In step',
    ]);
    const rows = within(screen.getByRole('region', { name: 'Overview' })).getAllByRole('listitem');
    expect(rows[0]).toHaveTextContent(/orchestrator ada.*Failed · 12 minutes ago.*HTTP 503\..*2 minutes ago/);
    vi.useRealTimers();
    const found = await axe.run(container, { rules: { 'color-contrast': { enabled: false } } });
    expect(found.violations.map((violation) => violation.id)).toEqual([]);
  });

  it('does not come between where there is one', async () => {
    await open(new FakeBackend(overview([repository([mirror()])])));
    expect(title()).toHaveTextContent('orchestrator');
    expect(screen.queryByRole('button', { name: /^Overview/ })).toBeNull();
  });

  it('leads to a repository and begins there what its button says', async () => {
    const backend = several();
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Check again: ada.orchestrator' }));
    expect(title()).toHaveTextContent('orchestrator');
    expect(backend.calls).toEqual([['health', 'ada.orchestrator']]);
    // It was begun once, and is not begun again by coming back.
    await user.click(places()[0]!);
    expect(title()).toHaveTextContent('Overview');
    await user.click(screen.getByRole('button', { name: 'orchestrator ada' }));
    expect(backend.calls).toHaveLength(1);
  });

  it('syncs all of them, but not what waits for a yes', async () => {
    const backend = several();
    backend.answer.repositories[1]!.enabled = false;
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Sync All Repositories' }));
    expect(backend.calls.map(([name, choice]) => [name, (choice as { repository: string }).repository])).toEqual([
      ['sync', 'ada.orchestrator'],
      ['sync', 'ada.blog'],
    ]);
  });

  it('is shown when the repository that was shown is gone', async () => {
    const backend = several();
    await open(backend);
    await user.click(places()[3]!);
    expect(title()).toHaveTextContent('blog');
    backend.answer.repositories.splice(0, 1);
    await user.keyboard('{Control>}r{/Control}');
    expect(title()).toHaveTextContent('Overview');
  });
});

describe('the filter', () => {
  it('is there from nine repositories on, finds by name, and opens the first with Enter', async () => {
    await open(many());
    await user.keyboard('{Control>}f{/Control}');
    const field = screen.getByRole('searchbox', { name: 'Filter repositories' });
    expect(field).toHaveFocus();
    await user.keyboard('SITE-1');
    expect(
      places()
        .map((place) => place.title)
        .filter(Boolean),
    ).toEqual(['site-1', 'site-10', 'site-11']);
    await user.keyboard('{Enter}');
    expect(title()).toHaveTextContent('site-1');
    expect(field).toHaveFocus();
    await user.keyboard('{Escape}');
    expect(places()).toHaveLength(13);
    await user.keyboard('nothing');
    expect(screen.getByText('No repository is called so.')).toBeVisible();
  });

  it('is not there for a few', async () => {
    await open(several());
    expect(screen.queryByRole('searchbox')).toBeNull();
  });
});

describe('the choice of a narrow window', () => {
  it('shows each repository with its state, and changes the page', async () => {
    await open(several());
    const choice = screen.getByRole('combobox', { name: 'Repository' });
    expect(
      within(choice)
        .getAllByRole('option')
        .map((option) => option.textContent),
    ).toEqual(['Overview (2 of 3 need you)', 'orchestrator: Failed', 'site: Waits for your decision', 'blog: In step']);
    await user.selectOptions(choice, 'ada.site');
    expect(title()).toHaveTextContent('site');
    await user.selectOptions(choice, '');
    expect(title()).toHaveTextContent('Overview');
  });
});

describe('a first heading', () => {
  const mistake = failure({ code: 'configuration' });

  it.each<[string, Partial<Overview>, string]>([
    ['nothing is configured', {}, 'Nothing to keep in step yet'],
    ['there are mistakes', { mistakes: [mistake] }, 'The configuration has 1 mistake'],
  ])('is there where %s', async (_name, over, words) => {
    await open(new FakeBackend(overview([], over)));
    expect(title()).toHaveTextContent(words);
  });

  it('is there while nothing is known, and when nothing can be read, with a way to try again', async () => {
    const backend = several();
    let refuse = (_: unknown): void => {};
    const answer = backend.overview;
    backend.overview = () => new Promise((_, reject) => (refuse = reject));
    const opened = open(backend);
    await vi.waitFor(() => expect(title()).toHaveTextContent('Reading the repositories…'));
    refuse(failure({ message: 'the database is locked' }));
    await opened;
    expect(title()).toHaveTextContent('The repositories cannot be read');
    expect(screen.getByRole('alert')).toHaveTextContent('the database is locked');
    backend.overview = answer;
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(title()).toHaveTextContent('Overview');
  });

  it('has brand and version in a landmark', async () => {
    await open(several());
    const side = within(screen.getByRole('complementary', { name: 'Standin' }));
    expect(side.getByText('Standin')).toBeVisible();
    expect(side.getByText('Version 0.1.0')).toBeVisible();
  });
});
