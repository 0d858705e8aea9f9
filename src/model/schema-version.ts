/** The version of the records in the store: rises when a record says something that an earlier release would misread. */

/** Of the records that this release writes. Release 0.1, which did not say, is 1. */
export const schemaVersion = 2;
