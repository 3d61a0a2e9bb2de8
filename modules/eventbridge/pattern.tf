# One rule for all filters: filters that meet in one event must not deliver it twice.
locals {
  # Each S3 event type as EventBridge has it. Empty: no condition.
  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html
  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-mapping-troubleshooting.html
  event_types = {
    "s3:ObjectCreated:*"                         = { type = "Object Created", reason = [], deletion = [] }
    "s3:ObjectCreated:CompleteMultipartUpload"   = { type = "Object Created", reason = ["CompleteMultipartUpload"], deletion = [] }
    "s3:ObjectCreated:Copy"                      = { type = "Object Created", reason = ["CopyObject"], deletion = [] }
    "s3:ObjectCreated:Post"                      = { type = "Object Created", reason = ["POST Object"], deletion = [] }
    "s3:ObjectCreated:Put"                       = { type = "Object Created", reason = ["PutObject"], deletion = [] }
    "s3:ObjectRemoved:*"                         = { type = "Object Deleted", reason = ["DeleteObject"], deletion = [] }
    "s3:ObjectRemoved:Delete"                    = { type = "Object Deleted", reason = ["DeleteObject"], deletion = ["Permanently Deleted"] }
    "s3:ObjectRemoved:DeleteMarkerCreated"       = { type = "Object Deleted", reason = ["DeleteObject"], deletion = ["Delete Marker Created"] }
    "s3:LifecycleExpiration:*"                   = { type = "Object Deleted", reason = ["Lifecycle Expiration"], deletion = [] }
    "s3:LifecycleExpiration:Delete"              = { type = "Object Deleted", reason = ["Lifecycle Expiration"], deletion = ["Permanently Deleted"] }
    "s3:LifecycleExpiration:DeleteMarkerCreated" = { type = "Object Deleted", reason = ["Lifecycle Expiration"], deletion = ["Delete Marker Created"] }
    "s3:ObjectRestore:Post"                      = { type = "Object Restore Initiated", reason = [], deletion = [] }
    "s3:ObjectRestore:Completed"                 = { type = "Object Restore Completed", reason = [], deletion = [] }
    "s3:ObjectRestore:Delete"                    = { type = "Object Restore Expired", reason = [], deletion = [] }
    "s3:ObjectTagging:Put"                       = { type = "Object Tags Added", reason = [], deletion = [] }
    "s3:ObjectTagging:Delete"                    = { type = "Object Tags Deleted", reason = [], deletion = [] }
    "s3:ObjectAcl:Put"                           = { type = "Object ACL Updated", reason = [], deletion = [] }
    "s3:IntelligentTiering"                      = { type = "Object Access Tier Changed", reason = [], deletion = [] }
    "s3:LifecycleTransition"                     = { type = "Object Storage Class Changed", reason = [], deletion = [] }
  }
  # Families that EventBridge knows only member by member.
  families = {
    "s3:ObjectRestore:*" = ["s3:ObjectRestore:Post", "s3:ObjectRestore:Completed", "s3:ObjectRestore:Delete"]
    "s3:ObjectTagging:*" = ["s3:ObjectTagging:Put", "s3:ObjectTagging:Delete"]
  }

  filters = [for filter in var.filters : {
    keys = filter.prefix == "" && filter.suffix == "" ? [] : concat(
      # Matchers in a list are alternatives, so that prefix and suffix have to be one. EventBridge takes
      # only so many wildcards in a rule; the others are cheap.
      [
        filter.suffix == "" ? jsonencode({ prefix = filter.prefix })
        : filter.prefix == "" ? jsonencode({ suffix = filter.suffix })
        : jsonencode({ wildcard = "${local.escaped[filter.prefix]}*${local.escaped[filter.suffix]}" })
      ],
      # Keys in which the two share characters: "a/b" has the prefix "a/" and the suffix "/b".
      distinct([
        for shared in range(1, min(length(filter.prefix), length(filter.suffix)) + 1) :
        jsonencode("${filter.prefix}${substr(filter.suffix, shared, -1)}")
        if endswith(filter.prefix, substr(filter.suffix, 0, shared))
      ])
    )
    events = [
      for event in distinct(flatten([for event in filter.events : try(local.families[event], [event])])) :
      local.event_types[event]
    ]
  }]

  escaped = {
    for text in distinct(flatten([for filter in var.filters : [filter.prefix, filter.suffix]])) :
    text => replace(replace(text, "\\", "\\\\"), "*", "\\*")
  }

  # Event types under the same conditions stand together; each clause is met or not by itself.
  clauses = flatten([for filter in local.filters : [
    for conditions, types in { for event in filter.events : jsonencode([event.reason, event.deletion]) => event.type... } : {
      types    = distinct(types)
      keys     = filter.keys
      reason   = jsondecode(conditions)[0]
      deletion = jsondecode(conditions)[1]
    }
  ]])

  details = [for clause in local.clauses : merge(
    { for name in ["object"] : name => { key = [for key in clause.keys : jsondecode(key)] } if length(clause.keys) > 0 },
    { for name in ["reason"] : name => clause.reason if length(clause.reason) > 0 },
    { for name in ["deletion-type"] : name => clause.deletion if length(clause.deletion) > 0 },
  )]

  bucket = { bucket = { name = var.rule.buckets } }

  # AWS says characters, and not how it counts those that take several bytes. base64 makes four
  # characters of three bytes.
  pattern_bytes = floor(length(trim(base64encode(local.pattern), "=")) * 3 / 4)
  pattern = (
    length(local.clauses) == 1
    ? jsonencode({
      source      = ["aws.s3"]
      detail-type = local.clauses[0].types
      detail      = merge(local.bucket, local.details[0])
    })
    : jsonencode({
      source = ["aws.s3"]
      detail = local.bucket
      "$or" = [for number, clause in local.clauses : merge(
        { detail-type = clause.types },
        { for name in ["detail"] : name => local.details[number] if length(local.details[number]) > 0 },
      )]
    })
  )
}
