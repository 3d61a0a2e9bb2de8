locals {
  # As S3 gets them: an event type whose family stands beside it adds nothing.
  wanted = {
    for name, list in { own = var.delivery.filters, others = var.bucket.notifications } : name => [
      for filter in list : merge(filter, {
        events = [
          for event in filter.events : event
          if endswith(event, ":*") || !contains(filter.events, replace(event, "/:[^:]*$/", ":*"))
        ]
      })
    ]
  }
  filters       = local.wanted.own
  notifications = local.wanted.others

  # Each text that S3 compares with a key's begin or end, by the attribute's name.
  filter_texts = flatten([
    for name, list in { "delivery.filters" = var.delivery.filters, "bucket.notifications" = var.bucket.notifications } : [
      for number, filter in list : [for part in ["prefix", "suffix"] : { name = "${name}[${number}].${part}", part = part, text = filter[part] }]
    ]
  ])
  doubtful_filters = concat(
    [
      for each in local.filter_texts :
      "${each.name} is \"${each.text}\": S3 knows no wildcards and looks for keys with this very ${can(regex("[*]", each.text)) ? "*" : "?"}."
      if can(regex("[*?]", each.text))
    ],
    [
      for each in local.filter_texts : "${each.name} is \"${each.text}\": keys have no / before them, unless the uploader wrote one."
      if each.part == "prefix" && startswith(each.text, "/")
    ],
  )
}

check "filters" {
  assert {
    condition     = length(local.doubtful_filters) == 0
    error_message = "These filters may match nothing:\n${join("\n", local.doubtful_filters)}"
  }
}

# S3 refuses two filters that can match one event: they share an event type, the one's prefix begins
# the other's, and the one's suffix ends the other's. They are found here, for either source, so that
# any filters survive a change of delivery.via; others' notifications share a configuration with them
# only where events come by notification. The output `delivery` (outputs.tf) refuses them: a
# variable's own validation can't use these locals.
locals {
  own_filters = [for i, filter in local.filters : merge(filter, { name = "delivery.filters[${i}]" })]
  others_filters = [
    for i, other in local.notifications :
    { name = "bucket.notifications[${i}]", prefix = other.prefix, suffix = other.suffix, events = other.events }
  ]
  filter_pairs = flatten([
    for group in local.notifies ? [concat(local.own_filters, local.others_filters)] : [local.own_filters, local.others_filters] : [
      for i, a in group : [for j, b in group : { a = a, b = b } if i < j]
    ]
  ])

  overlaps = [
    for pair in local.filter_pairs : join(" and ", [
      for one in [pair.a, pair.b] :
      "${one.name} (prefix \"${one.prefix}\", suffix \"${one.suffix}\", events ${join(" ", one.events)})"
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
