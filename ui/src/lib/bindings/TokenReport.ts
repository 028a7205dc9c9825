import type { Notice } from './Notice';
import type { TokenOrigin } from './TokenOrigin';
import type { Aspect } from './Aspect';
export type TokenReport = {
  place: string; host: string; repository: string; origin: TokenOrigin; login: string; kind: string;
  scopes: Array<string> | null; expires_iso: string | null; days_left: number | null;
  rights: Array<{ aspect: Aspect; right: string; state: 'proven' | 'missing' | 'unproven'; detail: string }>;
  notices: Array<Notice>;
};
