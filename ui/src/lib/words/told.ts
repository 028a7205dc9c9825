// Messages and hints of core as pieces: plain words, and what is typed or named exactly.

export interface Piece {
  words: string;
  code: boolean;
}

/** A text at its backticks. One that has no second stays as it is: then it was meant. */
export function pieces(text: string): Piece[] {
  const parts = text.split(/`([^`]+)`/);
  return parts.map((words, place) => ({ words, code: place % 2 === 1 })).filter(({ words }) => words !== '');
}

/** The same text where nothing can be set as code, such as a title. */
export function plain(text: string): string {
  return pieces(text)
    .map(({ words }) => words)
    .join('');
}
