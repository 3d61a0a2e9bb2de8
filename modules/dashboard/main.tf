resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard.create ? 1 : 0

  dashboard_name = var.dashboard.name
  dashboard_body = jsonencode({ start = "-PT3H", widgets = concat(local.heading, local.graphs, local.log) })
}

# A screen at 1080p shows about 16 units: state and graphs end at 14, the log may be scrolled to.
locals {
  column_width   = 6
  heading_height = 4
  graph_height   = 5

  heading = [
    for widget in [
      {
        type       = "text"
        x          = 0
        y          = 0
        width      = length(local.alarm_arns) == 0 ? 24 : 12
        height     = local.heading_height
        properties = { markdown = local.explanation }
      },
      {
        type       = "alarm"
        x          = 12
        y          = 0
        width      = 12
        height     = local.heading_height
        properties = { title = "Alarms", alarms = local.alarm_arns, sortBy = "stateUpdatedTimestamp" }
      },
    ] : widget if widget.type != "alarm" || length(local.alarm_arns) > 0
  ]

  graphs = [
    for graph in local.shown : {
      type   = "metric"
      x      = local.column_width * graph.column
      y      = local.heading_height + local.graph_height * graph.row
      width  = local.column_width
      height = local.graph_height * graph.rows
      # CloudWatch documents no empty ones.
      properties = {
        for name, property in {
          title       = graph.title
          region      = var.region
          view        = "timeSeries"
          stacked     = false
          period      = 60
          metrics     = concat(graph.metrics, graph.formulas)
          annotations = length(graph.lines) == 0 ? null : { horizontal = graph.lines }
          legend      = { position = "bottom" }
          yAxis       = graph.axes
        } : name => property if property != null
      }
    }
  ]

  log = [
    {
      type       = "log"
      x          = 0
      y          = local.heading_height + 2 * local.graph_height
      width      = 24
      height     = 6
      properties = { title = "Newest failures in the log", region = var.region, view = "table", query = local.query }
    },
  ]

  shown = [
    for graph in local.definitions : {
      title  = graph.title
      column = graph.column
      row    = graph.row
      rows   = graph.rows
      axes = {
        for side, label in { left = graph.left, right = graph.right } : side => { min = 0, label = label, showUnits = false }
        if label != null
      }
      lines = [for line in graph.lines : { label = line.label, value = line.value, yAxis = line.axis } if line.value != null]
      metrics = [
        for number, metric in graph.metrics : [
          metric.of.namespace, metric.name, metric.of.dimension, metric.of.value,
          {
            id      = "m${number}"
            stat    = metric.stat
            label   = metric.label
            yAxis   = metric.axis
            visible = metric.formula == null
          },
        ] if metric.shown
      ]
      formulas = [
        for number, metric in graph.metrics : [
          {
            id         = "f${number}"
            expression = format(coalesce(metric.formula, "%[1]s"), "m${number}")
            label      = metric.label
            yAxis      = metric.axis
          },
        ] if metric.shown && metric.formula != null
      ]
    } if anytrue(graph.metrics[*].shown)
  ]
}
