# S3 refuses two filters that can match one event: they share an event type, the one's prefix begins
# the other's, and the one's suffix ends the other's. They are found here, for either source, so that
# any filters survive a change of delivery.via. The output `delivery` (outputs.tf) refuses them: a
# variable's own validation can't use these locals.
locals {
  filter_pairs = flatten([
    for i, a in var.delivery.filters : [
      for j, b in var.delivery.filters : { i = i, a = a, j = j, b = b } if i < j
    ]
  ])

  overlaps = [
    for pair in local.filter_pairs : join(" and ", [
      for one in [{ i = pair.i, filter = pair.a }, { i = pair.j, filter = pair.b }] :
      "filters[${one.i}] (prefix \"${one.filter.prefix}\", suffix \"${one.filter.suffix}\", events ${join(" ", one.filter.events)})"
    ])
    if alltrue([
      startswith(pair.a.prefix, pair.b.prefix) || startswith(pair.b.prefix, pair.a.prefix),
      endswith(pair.a.suffix, pair.b.suffix) || endswith(pair.b.suffix, pair.a.suffix),
      anytrue([
        for both in setproduct(pair.a.events, pair.b.events) :
        both[0] == both[1]
        || endswith(both[0], ":*") && startswith(both[1], trimsuffix(both[0], "*"))
        || endswith(both[1], ":*") && startswith(both[0], trimsuffix(both[1], "*"))
      ]),
    ])
  ]
}
