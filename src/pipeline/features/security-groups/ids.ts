/** Numbers of this host for what registers and conjunctions name: sets, classes of peers, and rules. */
import { IdSpace } from '../../ids.ts';

export interface GroupIds {
  readonly sets: IdSpace;
  readonly classes: IdSpace;
  readonly addressClasses: IdSpace;
  readonly rules: IdSpace;
}

export const newGroupIds = (): GroupIds => ({
  sets: new IdSpace(),
  classes: new IdSpace(),
  addressClasses: new IdSpace(),
  rules: new IdSpace(),
});
