// Reports a deployment to Slipway: a step of a shared library, which has report-deployment.sh under
// resources/slipway/. See docs/ci.md.
//
// reportDeployment url: 'https://slipway.example.com', app: 'backend-api', environment: 'production'

def call(Map options = [:]) {
    def variables = [
        url: 'SLIPWAY_URL', app: 'SLIPWAY_APP', environment: 'SLIPWAY_ENVIRONMENT', repository: 'SLIPWAY_REPOSITORY',
        version: 'SLIPWAY_VERSION', commit: 'SLIPWAY_COMMIT', since: 'SLIPWAY_SINCE', state: 'SLIPWAY_STATE',
        author: 'SLIPWAY_AUTHOR', description: 'SLIPWAY_DESCRIPTION', deployedAt: 'SLIPWAY_DEPLOYED_AT',
        monorepoPath: 'SLIPWAY_MONOREPO_PATH', fixesVersion: 'SLIPWAY_FIXES_VERSION',
        environmentUrl: 'SLIPWAY_ENVIRONMENT_URL'
    ]
    // Of what was aborted, or never ran, there is nothing to report.
    def states = [SUCCESS: 'success', UNSTABLE: 'success', FAILURE: 'failure']
    def settings = [state: states[currentBuild.currentResult]] + options
    def credentialsId = settings.remove('credentialsId') ?: 'slipway'
    if (!settings.state) {
        echo "The build is ${currentBuild.currentResult}: nothing is reported to Slipway."
        return
    }
    def environment = ["SLIPWAY_SCRIPT=${pwd(tmp: true)}/report-deployment.sh"]
    for (name in settings.keySet()) {
        if (!variables.containsKey(name)) {
            error "reportDeployment has no option ${name}, only ${variables.keySet().join(', ')} and credentialsId"
        }
        environment.add("${variables[name]}=${settings[name] ?: ''}")
    }
    writeFile file: "${pwd(tmp: true)}/report-deployment.sh", text: libraryResource('slipway/report-deployment.sh')
    withEnv(environment) {
        withCredentials([string(credentialsId: credentialsId, variable: 'SLIPWAY_API_KEY')]) {
            // In single quotes: the shell reads the variables, Groovy never puts them into its text.
            sh label: 'Report the deployment to Slipway', script: 'sh "$SLIPWAY_SCRIPT"'
        }
    }
}
