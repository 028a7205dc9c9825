import { describe, expect, it } from 'vitest';

import { pieces, plain } from './told';

describe('what core tells', () => {
  it('is set as code where it stands between backticks', () => {
    expect(pieces('Type `standin sync`, then look at `main`.')).toEqual([
      { words: 'Type ', code: false },
      { words: 'standin sync', code: true },
      { words: ', then look at ', code: false },
      { words: 'main', code: true },
      { words: '.', code: false },
    ]);
  });

  it('may begin or end with code, and may be nothing', () => {
    expect(pieces('`a` and `b`').map(({ code }) => code)).toEqual([true, false, true]);
    expect(pieces('')).toEqual([]);
  });

  it('keeps a backtick that has no second', () => {
    expect(pieces('a ` b')).toEqual([{ words: 'a ` b', code: false }]);
    expect(plain('`x` and ` y')).toBe('x and ` y');
  });
});
