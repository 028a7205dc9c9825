import { describe, expect, it } from 'vitest';

import { failed, inStep, mirror, repository, stands, waits } from '../../testing/fake';
import { byWorst } from './order';
import { shownNames } from './repositories';

function named(id: string, master: string) {
  return repository([mirror()], { repository: id, master });
}

describe('the name of a repository', () => {
  it('is its own, with the owner apart, where the id was made of both', () => {
    const names = shownNames([named('ada.orchestrator', 'ada/orchestrator')]);
    expect(names.get('ada.orchestrator')).toEqual({ name: 'orchestrator', owner: 'ada' });
  });

  it('keeps the dots that are the name’s own', () => {
    const names = shownNames([named('ada.my.site', 'ada/my.site'), named('my.notes', 'ada/my.notes')]);
    expect(names.get('ada.my.site')).toEqual({ name: 'my.site', owner: 'ada' });
    expect(names.get('my.notes')).toEqual({ name: 'my.notes', owner: '' });
  });

  it('is found while a standby stands in, too', () => {
    const source = mirror({ id: 'source', repo: 'ada/site' });
    const names = shownNames([repository([source], { repository: 'ada.site', master: 'ada-backup/site' })]);
    expect(names.get('ada.site')).toEqual({ name: 'site', owner: 'ada' });
  });

  it('stays whole where it would mean two', () => {
    const names = shownNames([named('ada.site', 'ada/site'), named('grace.site', 'grace/site')]);
    expect([...names.values()]).toEqual([
      { name: 'ada.site', owner: '' },
      { name: 'grace.site', owner: '' },
    ]);
    const beside = shownNames([named('ada.site', 'ada/site'), named('site', 'grace/site')]);
    expect(beside.get('ada.site')).toEqual({ name: 'ada.site', owner: '' });
  });
});

describe('the order of the repositories', () => {
  it('begins with the worst, by tone and then by word', () => {
    const all = [
      ['fine', inStep],
      ['never', stands('never_synced', 'unknown', 'never synced')],
      ['decide', waits],
      ['failed', failed],
      ['down', stands('master_down', 'failed', 'master down')],
      ['behind', stands('behind', 'waiting', '17 behind')],
      ['syncing', stands('syncing', 'running', 'syncing')],
      ['also-fine', inStep],
    ] as const;
    const sorted = byWorst(all.map(([id, standing]) => repository([], { repository: id, standing })));
    expect(sorted.map((report) => report.repository)).toEqual([
      'down',
      'failed',
      'decide',
      'behind',
      'never',
      'syncing',
      'fine',
      'also-fine',
    ]);
  });
});
