// Prose comes before functions: what belongs to the code reference stands below all other results.
var Scorer = {
  score: ([page, title, anchor, description, score]) => (page.startsWith("_generated/api/") ? score - 1000 : score),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
