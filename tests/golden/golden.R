# Golden numbers from R's randomForest for the tables of make_tables.py.
# Run as: Rscript golden.R <folder with the tables>; writes r_*.csv and session_info.txt there.

suppressPackageStartupMessages(library(randomForest))

folder <- commandArgs(trailingOnly = TRUE)[1]
ntree <- 1500
nodesize <- 5
seeds <- 1:10
mtry <- c(npp = 6, rs = 7)
profiled <- list(npp = c("precipitation", "temperature"), rs = c("temperature", "npp_modis"))
grid_size <- 15

read <- function(name, part) read.csv(file.path(folder, paste0(name, "_", part, ".csv")))

# R sees land cover as a number or as a factor; classes that only the prediction table has cannot be a factor's level.
coded <- function(table, coding, levels) {
  if (coding == "factor") table$land_cover <- factor(table$land_cover, levels = levels)
  table
}

# Mean prediction over the training rows with one predictor set to each grid value.
dependence <- function(forest, x, predictor, grid) {
  sapply(grid, function(value) { x[[predictor]] <- value; mean(predict(forest, x)) })
}

explained <- function(observed, predicted) {
  1 - sum((observed - predicted)^2) / sum((observed - mean(observed))^2)
}

scores <- importances <- dependences <- predictions <- NULL
for (name in names(mtry)) {
  training <- read(name, "training")
  cells <- read(name, "prediction")
  levels <- sort(unique(training$land_cover))
  y <- training$target
  for (coding in c("integer", "factor")) {
    x <- coded(training[names(training) != "target"], coding, levels)
    new <- coded(cells, coding, levels)
    map <- 0
    for (seed in seeds) {
      set.seed(seed)
      forest <- randomForest(x, y, ntree = ntree, mtry = mtry[[name]], nodesize = nodesize, importance = TRUE)
      predicted <- predict(forest, new)
      map <- map + predicted / length(seeds)
      key <- data.frame(table = name, coding = coding, seed = seed)
      scores <- rbind(scores, cbind(key, data.frame(
        oob_r2 = forest$rsq[ntree],
        oob_rmse = sqrt(forest$mse[ntree]),
        in_sample_r2 = explained(y, predict(forest, x)),
        mean_prediction = mean(predicted),
        leaves_per_tree = mean((forest$forest$ndbigtree + 1) / 2))))
      importances <- rbind(importances, cbind(key, data.frame(
        predictor = names(x),
        mse_increase = importance(forest, type = 1, scale = FALSE)[, 1],
        node_purity = importance(forest, type = 2)[, 1])))
      if (coding == "integer") for (predictor in profiled[[name]]) {
        grid <- round(quantile(x[[predictor]], seq(0.05, 0.95, length.out = grid_size), names = FALSE), 2)
        dependences <- rbind(dependences, cbind(key, data.frame(
          predictor = predictor, x = grid, mean_prediction = dependence(forest, x, predictor, grid))))
      }
    }
    predictions <- rbind(predictions, data.frame(
      table = name, coding = coding, row = seq_along(map) - 1, mean_prediction = map))
  }
}

write_table <- function(table, name) {
  numbers <- sapply(table, is.double)
  table[numbers] <- lapply(table[numbers], signif, digits = 7)
  write.csv(table, file.path(folder, name), row.names = FALSE, quote = FALSE)
}
# Spread over the seeds in one row each keeps the files small.
over_seeds <- function(table, value, by) {
  groups <- table[by]
  mean_of <- aggregate(table[value], groups, mean)
  sd_of <- aggregate(table[value], groups, sd)
  names(mean_of)[names(mean_of) %in% value] <- paste0(value, "_mean")
  names(sd_of)[names(sd_of) %in% value] <- paste0(value, "_sd")
  merge(mean_of, sd_of, by = by)
}
write_table(scores, "r_scores.csv")
write_table(over_seeds(importances, c("mse_increase", "node_purity"), c("table", "coding", "predictor")), "r_importance.csv")
write_table(over_seeds(dependences, "mean_prediction", c("table", "predictor", "x")), "r_dependence.csv")
write_table(predictions, "r_predictions.csv")
writeLines(c(R.version.string, paste("randomForest", packageVersion("randomForest")), R.version$platform,
             paste(RNGkind(), collapse = " ")), file.path(folder, "session_info.txt"))
