// What a backend says about secrets and where their values are, for tests. It keeps no value.

import type { Backend } from '../lib/backend';
import type { Error as Failure } from '../lib/bindings/Error';
import type { SecretPlace } from '../lib/bindings/SecretPlace';
import { FakeActivity } from './fake_activity';

export class FakeVault extends FakeActivity {
  places: SecretPlace[] = [];
  /** Why no value is taken and none removed, where it is so. */
  refuseSecret: Failure | null = null;
  secrets: Backend['secrets'] = async () => structuredClone(this.places);
  secretSet: Backend['secretSet'] = async (repository, name, value) => {
    this.called('secretSet', repository, name, value === '' ? '' : 'typed');
    if (this.refuseSecret) throw this.refuseSecret;
    const known = this.places.find((place) => place.name === name);
    const place: SecretPlace = {
      name,
      source: known?.source ?? 'vault',
      in_vault: true,
      travels: known?.travels ?? true,
    };
    this.places = [...this.places.filter((other) => other !== known), place];
    return structuredClone(place);
  };
  secretRemove: Backend['secretRemove'] = async (...values) => {
    this.called('secretRemove', ...values);
    if (this.refuseSecret) throw this.refuseSecret;
    const before = this.places.length;
    this.places = this.places.filter((place) => place.name !== values[1]);
    return this.places.length < before;
  };
}
