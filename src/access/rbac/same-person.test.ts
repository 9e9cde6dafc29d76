import { describe, expect, it } from 'vitest';
import type { Subject } from '#api/access-policy.ts';
import { mayBeSamePerson } from './same-person.ts';

const user = (name: string): Subject => ({ kind: 'User', name });
const group = (name: string): Subject => ({ kind: 'Group', name });
const account = (namespace: string, name: string): Subject => ({
  kind: 'ServiceAccount',
  namespace,
  name,
});

describe('mayBeSamePerson', () => {
  it.each([
    ['the same user', user('alice'), user('alice'), true],
    ['two users', user('alice'), user('bob'), false],
    ['users that differ by case', user('alice'), user('Alice'), false],
    ['a user and a group she may be in', user('alice'), group('desk'), true],
    ['two groups with perhaps one member', group('desk'), group('risk'), true],
    ['a ServiceAccount and itself', account('a', 'x'), account('a', 'x'), true],
    [
      'a ServiceAccount by its username',
      account('a', 'x'),
      user('system:serviceaccount:a:x'),
      true,
    ],
    ['ServiceAccounts of two namespaces', account('a', 'x'), account('b', 'x'), false],
    ['a ServiceAccount and its group', account('a', 'x'), group('system:serviceaccounts:a'), true],
    ['a ServiceAccount and all of them', account('a', 'x'), group('system:serviceaccounts'), true],
    ['a ServiceAccount and everybody', account('a', 'x'), group('system:authenticated'), true],
    ['a ServiceAccount and others', account('a', 'x'), group('system:serviceaccounts:b'), false],
    ['a ServiceAccount and a desk', account('a', 'x'), group('desk'), false],
    ['a user and ServiceAccounts', user('alice'), group('system:serviceaccounts:a'), false],
    ['a user and everybody', user('alice'), group('system:authenticated'), true],
    [
      'ServiceAccounts of two namespaces as groups',
      group('system:serviceaccounts:a'),
      group('system:serviceaccounts:b'),
      false,
    ],
    [
      'all ServiceAccounts and those of one namespace',
      group('system:serviceaccounts'),
      group('system:serviceaccounts:b'),
      true,
    ],
    ['a desk and ServiceAccounts', group('desk'), group('system:serviceaccounts'), false],
    [
      'everybody and ServiceAccounts',
      group('system:authenticated'),
      group('system:serviceaccounts:a'),
      true,
    ],
  ])('%s', (_, one, other, expected) => {
    expect(mayBeSamePerson(one, other)).toBe(expected);
    expect(mayBeSamePerson(other, one)).toBe(expected);
  });
});
