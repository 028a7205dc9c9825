import { describe, expect, it } from 'vitest';

import type { SecretState } from '../bindings/SecretState';
import { plan, section } from '../../testing/fake';
import { knownSecrets, lacksValue, removalWords, sourceOf } from './vault';

const compared = (mirror: string, names: [string, SecretState][]) =>
  plan({ mirror, sections: [section('secrets', { details: { secrets: { names, notices: [], sources: {} } } })] });

const kept = { name: 'API_KEY', source: 'vault', in_vault: true, travels: true } as const;

describe('the secrets that are known', () => {
  it('are those of here with what each mirror has, and those that only a comparison knows', () => {
    const found = knownSecrets(
      [kept],
      [
        compared('one', [
          ['API_KEY', 'in_step'],
          ['DATABASE_URL', 'missing_here'],
        ]),
        compared('two', [
          // GitHub keeps names in capitals.
          ['api_key', 'create'],
          ['OWN', 'only_on_mirror'],
        ]),
      ],
    );
    expect(
      found.map(({ place, mirrors }) => [place.name, ...mirrors.map((one) => `${one.mirror} ${one.state}`)]),
    ).toEqual([
      ['API_KEY', 'one in_step', 'two create'],
      ['DATABASE_URL', 'one missing_here'],
      ['OWN', 'two only_on_mirror'],
    ]);
    expect(found.filter(({ place }) => lacksValue(place)).map(({ place }) => place.name)).toEqual(['DATABASE_URL']);
  });
});

describe('a removal', () => {
  it('says what stops, and that a value in .env does not', () => {
    expect(removalWords(kept)).toMatch(/workflows that use API_KEY fail there/);
    expect(removalWords({ ...kept, source: 'env' })).toMatch(/goes on being sent/);
    expect(removalWords({ ...kept, source: null, travels: false })).toMatch(/No mirror is sent it/);
  });
});

describe('where a value comes from', () => {
  it('is said for each case', () => {
    expect(sourceOf(kept).word).toBe('From the vault');
    expect(sourceOf({ ...kept, source: 'env' }).word).toMatch(/not used/);
    expect(sourceOf({ ...kept, source: null, travels: false }).word).toMatch(/not meant to travel/);
    expect(sourceOf({ ...kept, source: null, in_vault: false })).toEqual({ tone: 'waiting', word: 'No value here' });
  });
});
